"""The only place that spares finite numbers the checks that scikit-learn makes before every step.

Whatever else there is, is asked of the step itself, which judges it in its own words.
"""

from typing import Any

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import ElasticNet, Lasso, LinearRegression, Ridge
from sklearn.preprocessing import FunctionTransformer

from ml_models.parts import Numbers

LINES = (LinearRegression, Ridge, Lasso, ElasticNet)


def finite(rows: Any, *, width: int | None) -> Numbers | None:
    """Return what scikit-learn makes of rows of finite numbers; None for what it has to judge.

    width: how many numbers a row must have; without it there is no telling.
    """
    if type(rows) is not np.ndarray or rows.shape[1:] != (width,) or not len(rows):
        return None
    if rows.dtype == object:
        try:
            rows = rows.astype(np.float64)
        except (ValueError, TypeError, OverflowError):
            return None
    return rows if rows.dtype == np.float64 and np.isfinite(rows).all() else None


def width_of(step: Any) -> int | None:
    """Return how many numbers it learnt from; what was put together by hand may not say so."""
    width: int | None = getattr(step, "n_features_in_", None)
    return width


class QuickFunction:
    """A fitted function transformer that checks what it is given."""

    def __init__(self, transformer: FunctionTransformer) -> None:
        self.whole = transformer

    def transform(self, rows: Any) -> Any:
        numbers = finite(rows, width=width_of(self.whole))
        if numbers is None:
            return self.whole.transform(rows)
        return numbers if self.whole.func is None else self.whole.func(numbers)


class QuickLine:
    """A fitted linear regression: n rows of features by its coefficients, and its intercept."""

    def __init__(self, line: Any) -> None:
        self.whole = line

    def predict(self, features: Any) -> Any:
        numbers = finite(features, width=width_of(self.whole))
        if numbers is None:
            return self.whole.predict(features)
        return numbers @ self.whole.coef_.T + self.whole.intercept_


class QuickTarget:
    """A fitted regressor of a transformed target, which a function brings back.

    regressor: what gives the answers of its own regressor.
    """

    def __init__(self, whole: TransformedTargetRegressor, regressor: Any) -> None:
        self.whole, self.regressor = whole, regressor
        self.bring_back = whole.transformer_.inverse_func

    def predict(self, features: Any) -> Any:
        scores = self.regressor.predict(features)
        column = scores.reshape(-1, 1) if scores.ndim == 1 else scores
        numbers = finite(column, width=1)
        if numbers is None:
            answers = self.whole.transformer_.inverse_transform(column)
        else:
            answers = numbers if self.bring_back is None else self.bring_back(numbers)
        is_single = self.whole._training_dim == 1 and answers.ndim == 2 and answers.shape[1] == 1
        return answers.squeeze(axis=1) if is_single else answers


def is_quick_function(transformer: Any) -> bool:
    return (
        type(transformer) is FunctionTransformer
        and transformer.validate
        and not transformer.kw_args
        and transformer.feature_names_out is None
        and not hasattr(transformer, "_sklearn_output_config")
    )


def is_line(estimator: Any) -> bool:
    return type(estimator) in LINES


def is_quick_target(estimator: Any) -> bool:
    """Say whether a function brings back what it predicts, with checks before it."""
    if type(estimator) is not TransformedTargetRegressor:
        return False
    back = estimator.transformer_
    return type(back) is FunctionTransformer and back.validate and not back.inv_kw_args
