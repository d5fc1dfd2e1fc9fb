"""Houses and their prices: what a data scientist brings, an estimator and a sample of its input."""

from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from django.core.management import call_command
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from ml_models import inference
from ml_models.models import ModelVersion

SIZES = pd.DataFrame(
    {
        "size": [0.5, 1.25, 2.0, 3.5, 4.0, 5.75],
        "rooms": [1, 1, 2, 3, 3, 4],
        "is_new": [True, False, True, False, True, False],
    }
)
HOUSES = SIZES.assign(kind=["flat", "flat", "house", "house", "flat", "house"])
PRICES = np.array([10.0, 20.0, 35.0, 60.0, 65.0, 90.0])
IS_DEAR = np.array(["cheap", "cheap", "cheap", "dear", "dear", "dear"])


class Told(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A regressor of somebody's own, that skops has never heard of."""

    def fit(self, features: Any, target: Any) -> "Told":
        self.mean_ = float(np.mean(target))
        return self

    def predict(self, features: Any) -> Any:
        return np.full(len(features), self.mean_)


class ByName(Told):
    def predict(self, features: Any) -> Any:
        return features["size"]


class Endless(Told):
    def predict(self, features: Any) -> Any:
        return np.full(len(features), np.inf)


def publish(artifact: Path, sample: Path, *more: str) -> ModelVersion:
    words = ["--slug", "houses", "--title", "Houses"]
    files = [f"--artifact={artifact}", f"--sample={sample}"]
    call_command("publish_model", *files, *words, *more, stdout=StringIO())
    return ModelVersion.objects.latest("pk")


def columnar(last: Any) -> Any:
    """A pipeline that knows its columns by name, and so takes nothing but a table."""
    kinds = ColumnTransformer([("kinds", OneHotEncoder(), ["kind"])], remainder="passthrough")
    return make_pipeline(kinds, last)


def positional(last: Any) -> Any:
    kinds = ColumnTransformer([("kinds", OneHotEncoder(), [3])], remainder="passthrough")
    return make_pipeline(kinds, last)


def answers(version: ModelVersion, rows: pd.DataFrame) -> list[Any]:
    return inference.predict(version=version, rows=rows.to_numpy(dtype=object).tolist())
