"""The only place that spares estimators what scikit-learn does around them for every call.

For the few rows of a request that takes longer than predicting them: tasks and settings for each
part, made for work that lasts. The parts are asked as scikit-learn asks them, in its order, so
that the answers are the same to the last bit; whatever is made otherwise is left as it is.
"""

from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from ml_models.forests import WalkedForest, is_walkable
from ml_models.formats import Estimator
from ml_models.known_words import KnownWords, has_words
from ml_models.parts import SEARCHES, dense, transformed, transformers_of
from ml_models.quick_numbers import (
    QuickFunction,
    QuickLine,
    QuickTarget,
    is_line,
    is_quick_function,
    is_quick_target,
)


def quick(estimator: Any) -> Estimator:
    """Return what gives the estimator's answers sooner, or the estimator itself."""
    while isinstance(estimator, SEARCHES):
        estimator = estimator.best_estimator_
    if is_walkable(estimator):
        return WalkedForest(estimator)
    if is_line(estimator):
        return QuickLine(estimator)
    if is_quick_target(estimator):
        return QuickTarget(estimator, quick(estimator.regressor_))
    if type(estimator) is Pipeline:
        return QuickPipeline(estimator)
    found: Estimator = estimator
    return found


def quick_transformer(transformer: Any) -> Any:
    """Return what makes the transformer's features sooner, or the transformer itself."""
    if is_plain(transformer):
        return QuickColumns(transformer)
    if has_words(transformer):
        return KnownWords(transformer)
    return QuickFunction(transformer) if is_quick_function(transformer) else transformer


class QuickPipeline:
    """A fitted pipeline: its transformers one after another, then what predicts."""

    def __init__(self, pipeline: Pipeline) -> None:
        # What is sparse stays so: the next step may add it up in another order, or need it so.
        self.transformers = [
            one if getattr(one, "sparse_output", False) else quick_transformer(one)
            for one in transformers_of(pipeline)
        ]
        self.last: Any = quick(pipeline.steps[-1][1])

    def predict(self, rows: Any) -> Any:
        return self.last.predict(self.features(rows))

    def predict_proba(self, rows: Any) -> Any:
        return self.last.predict_proba(self.features(rows))

    def features(self, rows: Any) -> Any:
        return transformed(rows, self.transformers)


class QuickColumns:
    """A fitted column transformer: each part has its columns, and the results stand in a row."""

    def __init__(self, columns: ColumnTransformer) -> None:
        self.whole = columns
        self.parts = [
            (quick_transformer(transformer), places)
            for _, transformer, places in filter(takes_part, columns.transformers_)
        ]

    def transform(self, rows: Any) -> Any:
        """Return n rows of features; rows that are no array are left to scikit-learn."""
        if not isinstance(rows, np.ndarray) or rows.shape[1:] != (self.whole.n_features_in_,):
            return self.whole.transform(rows)
        features = [part.transform(rows[:, places]) for part, places in self.parts]
        return np.hstack([dense(one) for one in features])


def takes_part(part: Any) -> bool:
    _, transformer, places = part
    return transformer != "drop" and len(places) > 0


def is_plain(transformer: Any) -> bool:
    """Say whether it is a column transformer that names columns by places and weighs none."""
    if type(transformer) is not ColumnTransformer or not transformer.transformers_:
        return False
    is_as_usual = (
        transformer.transformer_weights is None
        and not transformer.sparse_output_
        and not hasattr(transformer, "_sklearn_output_config")
    )
    parts = transformer.transformers_
    return is_as_usual and all(map(takes_places, parts)) and any(map(takes_part, parts))


def takes_places(part: Any) -> bool:
    """Say whether a part is a transformer, or dropped, and its columns are a list of places."""
    _, transformer, places = part
    is_known = transformer == "drop" or hasattr(transformer, "transform")
    is_list = isinstance(places, list | np.ndarray)
    return is_known and is_list and all(isinstance(place, int | np.integer) for place in places)
