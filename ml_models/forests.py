"""The only place that has forests predict by walking their trees, one after another.

scikit-learn makes a task of every tree: for few rows that takes ten times as long as the trees do.
The sum is formed in the same order, so that the answers are the same to the last bit.
"""

from typing import Any

import numpy as np

from ml_models.parts import Numbers
from ml_models.tree_paths import FORESTS


class WalkedForest:
    """A fitted forest of one target, with the forest's own answers."""

    def __init__(self, forest: Any) -> None:
        self.forest = forest
        self.trees = [member.tree_ for member in forest.estimators_]

    def predict(self, features: Any) -> Any:
        """Return n predictions, or n labels, for n rows of features."""
        means = self.means(features)
        if means is None:
            return self.forest.predict(features)
        if not hasattr(self.forest, "classes_"):
            return means[:, 0]
        return self.forest.classes_.take(means.argmax(axis=1))

    def predict_proba(self, features: Any) -> Any:
        """Return n rows of the probability of each label."""
        means = self.means(features)
        return self.forest.predict_proba(features) if means is None else means

    def means(self, features: Any) -> Numbers | None:
        """Return the mean of what the trees say of n rows; None for rows they do not take as is."""
        if not isinstance(features, np.ndarray) or features.ndim != 2:
            return None
        if not len(features) or features.shape[1] != self.forest.n_features_in_:
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


def is_walkable(estimator: Any) -> bool:
    """Say whether it is a forest of scikit-learn's own, of one target."""
    return type(estimator) in FORESTS and estimator.n_outputs_ == 1
