"""The only place that follows rows down decision trees: what each split's column added.

The method is Saabas's ("Interpreting random forests", 2014): a node holds the mean of the
training rows that reached it, and a step down a split adds the difference of two means to the
column that was split on. From the root to the leaf the differences add up to the leaf's value.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

FORESTS = (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
TREES = (DecisionTreeClassifier, DecisionTreeRegressor)

Numbers = NDArray[np.float64]


class TreePaths:
    """The nodes of all trees in one array; `sources` names each feature's column by position."""

    def __init__(self, estimator: Any, sources: Sequence[int], columns: int) -> None:
        """Raise KeyError if a tree splits on a feature that is no single column's."""
        self.trees = [one.tree_ for one in members(estimator)]
        self.columns = columns
        counts = [tree.node_count for tree in self.trees]
        self.roots = np.cumsum([0, *counts[:-1]])
        self.parents = np.concatenate([*map(parents, self.trees, self.roots)])
        values = np.concatenate([*map(values_of, self.trees)]) / len(self.trees)
        self.base: Numbers = values[self.roots].sum(axis=0)
        # What arriving at a node adds, and to which column.
        self.gains = values - values[self.parents]
        split_on = np.concatenate([tree.feature for tree in self.trees])[self.parents]
        self.sources = source_of_each(split_on, sources)

    def contributions(self, features: Any, outputs: NDArray[np.intp]) -> Numbers:
        """Return n rows with what each column added; `outputs` are n positions of values."""
        # The trees compare in single precision, whatever they were given.
        inputs = np.ascontiguousarray(features, dtype=np.float32)
        leaves = [tree.apply(inputs) for tree in self.trees]
        nodes = np.stack(leaves, axis=1) + self.roots
        added = np.zeros(len(inputs) * self.columns)
        first_cells = np.arange(len(inputs))[:, None] * self.columns
        while (nodes != self.roots).any():
            gains = self.gains[nodes, outputs[:, None]]
            cells = first_cells + self.sources[nodes]
            added += np.bincount(cells.ravel(), gains.ravel(), minlength=len(added))
            nodes = self.parents[nodes]
        return added.reshape(len(inputs), self.columns)


def members(estimator: Any) -> list[Any]:
    return list(estimator.estimators_) if isinstance(estimator, FORESTS) else [estimator]


def parents(tree: Any, root: int) -> NDArray[np.intp]:
    """Return the node above each, among all trees' nodes; a root is above itself."""
    above = np.zeros(tree.node_count, dtype=np.intp)
    for below in (tree.children_left, tree.children_right):
        splits = below >= 0
        above[below[splits]] = np.flatnonzero(splits)
    return above + root


def values_of(tree: Any) -> Numbers:
    """Return each node's mean, or the shares of the labels there."""
    if tree.n_outputs != 1:
        raise ValueError("A tree of several targets is not followed.")
    values: Numbers = tree.value[:, 0, :]
    return values if tree.n_classes[0] == 1 else values / values.sum(axis=1, keepdims=True)


def source_of_each(features: NDArray[np.intp], sources: Sequence[int]) -> NDArray[np.intp]:
    """Return the columns of the features that were split on; a root, alone, is nobody's."""
    used = np.unique(features[features >= 0])
    if lost := [int(feature) for feature in used if sources[feature] < 0]:
        raise KeyError(f"Features {lost} are no single column's.")
    # A single leaf splits on nothing: what it gains is zero, whoever has it.
    known = np.append(np.asarray(sources, dtype=np.intp), 0)
    return np.where(features >= 0, known[features], 0)
