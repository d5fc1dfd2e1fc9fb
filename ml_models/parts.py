"""The only place that takes an estimator apart: what makes features, what scores them, the rest."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.compose import TransformedTargetRegressor
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import Pipeline

# Each has found the estimator that it was for.
SEARCHES = (GridSearchCV, RandomizedSearchCV)

Numbers = NDArray[np.float64]
Positions = NDArray[np.intp]


def transformers_of(pipeline: Pipeline) -> list[Any]:
    """Return what stands before its last step and does anything."""
    return [step for _, step in pipeline.steps[:-1] if step not in (None, "passthrough")]


def transformed(rows: Any, transformers: Iterable[Any]) -> Any:
    for transformer in transformers:
        rows = transformer.transform(rows)
    return rows


def dense(features: Any) -> Any:
    return features.toarray() if hasattr(features, "toarray") else features


class Parts:
    """An estimator taken apart: what makes features of rows, what scores them, what follows."""

    def __init__(self, estimator: Any) -> None:
        self.transformers: list[Any] = []
        self.links: list[Any] = []
        self.last = estimator
        while (inner := self._inner(self.last)) is not None:
            self.last = inner

    def _inner(self, outer: Any) -> Any:
        if isinstance(outer, Pipeline):
            self.transformers += transformers_of(outer)
            return outer.steps[-1][1]
        if isinstance(outer, TransformedTargetRegressor):
            self.links.append(outer.transformer_)
            return outer.regressor_
        return outer.best_estimator_ if isinstance(outer, SEARCHES) else None

    def features(self, rows: Any) -> Any:
        return transformed(rows, self.transformers)

    def score(self, rows: Any) -> Numbers:
        ask = self.last.decision_function if is_classifier(self.last) else self.last.predict
        return np.asarray(ask(self.features(rows)), dtype=float).reshape(len(rows))

    def curve(self, outputs: Positions) -> Callable[[Numbers], Numbers] | None:
        """Return what makes n scores n answers, or None where the score is the answer."""
        if is_classifier(self.last):
            # The score speaks for the second label.
            signs = np.where(outputs == 1, 1.0, -1.0)
            return lambda scores: 1 / (1 + np.exp(-signs * scores))
        return self._unlinked if self.links else None

    def _unlinked(self, scores: Numbers) -> Numbers:
        for link in reversed(self.links):
            scores = np.asarray(link.inverse_transform(scores.reshape(-1, 1))).reshape(-1)
        return scores
