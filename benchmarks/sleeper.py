"""A model that takes time and no processor: its rows show the pipeline, not the cores."""

import time
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin

SECONDS_A_ROW = 0.02


class Sleeper(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Gives each row's one value back, a while later."""

    def fit(self, rows: Any, target: Any) -> "Sleeper":
        self.n_features_in_ = np.shape(rows)[1]
        return self

    def predict(self, rows: Any) -> Any:
        time.sleep(SECONDS_A_ROW * len(rows))
        return np.asarray(rows, dtype=float)[:, 0]
