"""The stage for tests of models: an own empty store, and no version remembered."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from ml_models.selectors import forget_found_versions


@pytest.fixture(autouse=True)
def store(settings: Settings, tmp_path: Path) -> Iterator[Path]:
    settings.MODEL_STORE_DIR = str(tmp_path / "store")
    settings.MODEL_REMOTE_BUCKET = ""
    forget_found_versions()
    yield tmp_path / "store"
    forget_found_versions()
