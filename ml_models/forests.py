"""The only place that has forests predict by walking their trees, one after another.

scikit-learn makes a task of every tree: for few rows that takes ten times as long as the trees do.
The sum is formed in the same order, so that the answers are the same to the last bit.
"""

from typing import Any

import numpy as np

from ml_models.formats import Estimator
from ml_models.parts import Numbers, Parts
from ml_models.tree_paths import FORESTS


class WalkedForest:
    """A fitted forest of one target, alone or at the end of a pipeline, with its answers."""

    def __init__(self, estimator: Any) -> None:
        self.estimator, self.parts = estimator, Parts(estimator)
        self.trees = [member.tree_ for member in self.parts.last.estimators_]

    def predict(self, rows: Any) -> Any:
        """Return n predictions, or n labels, for n rows of the shape that the estimator takes."""
        means = self.means(rows)
        if means is None:
            return self.estimator.predict(rows)
        if not hasattr(self.parts.last, "classes_"):
            return means[:, 0]
        return self.parts.last.classes_.take(means.argmax(axis=1))

    def predict_proba(self, rows: Any) -> Any:
        """Return n rows of the probability of each label."""
        means = self.means(rows)
        return self.estimator.predict_proba(rows) if means is None else means

    def means(self, rows: Any) -> Numbers | None:
        """Return the mean of what the trees say of n rows; None for rows they do not take as is."""
        features = self.parts.features(rows)
        if not isinstance(features, np.ndarray) or features.ndim != 2:
            return None
        if not len(features) or features.shape[1] != self.parts.last.n_features_in_:
            return None
        # The trees compare in single precision, whatever they were given.
        with np.errstate(over="ignore"):
            inputs = np.ascontiguousarray(features, dtype=np.float32)
        if not np.isfinite(inputs).all():
            return None
        total = np.zeros((len(inputs), self.trees[0].max_n_classes))
        for tree in self.trees:
            total += tree.predict(inputs)
        total /= len(self.trees)
        return total


def walked(estimator: Any) -> Estimator:
    """Return a forest that is walked, and of any other estimator itself."""
    parts = Parts(estimator)
    is_forest = type(parts.last) in FORESTS and parts.last.n_outputs_ == 1 and not parts.links
    return WalkedForest(estimator) if is_forest else estimator
