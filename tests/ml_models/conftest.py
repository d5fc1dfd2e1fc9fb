"""The stage for tests of models: an own empty store, and no version remembered."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
import pytest
from pytest_django import Settings

from ml_models import inference
from ml_models.models import ModelVersion
from ml_models.selectors import forget_found_versions
from tests.ml_models.houses import publish


@pytest.fixture(autouse=True)
def store(settings: Settings, tmp_path: Path) -> Iterator[Path]:
    settings.MODEL_STORE_DIR = str(tmp_path / "store")
    settings.MODEL_REMOTE_BUCKET = ""
    forget_found_versions()
    yield tmp_path / "store"
    forget_found_versions()


@pytest.fixture
def bring(tmp_path: Path) -> Any:
    """Write artifact and sample, run the command, and return the version it made."""
    inference.unload()

    def run(estimator: Any, rows: pd.DataFrame | str, *more: str) -> ModelVersion:
        artifact, sample = tmp_path / "model.joblib", tmp_path / "sample.csv"
        joblib.dump(estimator, artifact)
        sample.write_text(rows if isinstance(rows, str) else rows.to_csv(index=False))
        return publish(artifact, sample, *more)

    return run
