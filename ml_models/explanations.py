"""The only place that explains predictions: what each column added to where the model begins.

A linear model begins at its example, a typical row: each column adds what the score changes when
that column alone becomes the row's. Of a model that adds its columns up these are exact, and
their Shapley values. A forest begins at the mean of what it learnt, and its columns add what the
paths through the trees say. Where an answer is a curve of the score (a logarithm was learnt, or
a probability), the columns share the way along the curve as they share the way of the score:
Aumann and Shapley's division along the straight line, which adds up exactly.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from sklearn.base import is_classifier

from ml_models.errors import ExplanationsNotOffered, in_words
from ml_models.inference import Classified, Explanation, Predicted, ask
from ml_models.parts import Numbers, Parts, Positions
from ml_models.releases import Described
from ml_models.row_errors import Value
from ml_models.shapes import has_gaps, shaped
from ml_models.tree_paths import FORESTS, TREES, TreePaths

logger = logging.getLogger(__name__)

TOLERANCE = 1e-9
# What cancels out to nearly nothing is measured by the size of its parts.
NEAR_ZERO = 1e-12
# A score's step is measured against its slope here; any smaller, and both would be noise.
SMALL_STEP = 1e-6
SLOPE_OVER = 1e-4
# Values of a number that are tried to see which features it has a hand in.
TRIED_NUMBERS = 17
# Each row is asked about once a column.
ROWS_AT_ONCE = 20_000

Rows = Sequence[Sequence[Value]]


class Explainer:
    """Explains one loaded estimator."""

    def __init__(self, estimator: Any, model: Described) -> None:
        """Raise ExplanationsNotOffered for one of another kind, or one that mixes its columns."""
        self.parts = Parts(estimator)
        self.labels: list[Any] = model.output_schema.get("enum", [])
        if self.labels and "x-probabilities" not in model.output_schema:
            raise ExplanationsNotOffered("A label without a probability is no sum.")
        self.columns = list(model.input_schema["properties"])
        self.scores = scores_of(self.parts, model)

    def explain(self, rows: Rows, predicted: Sequence[Predicted]) -> list[Explanation]:
        """Say of n rows and what was predicted for them what each column added.

        Raise ExplanationsNotOffered if base and contributions are not what was predicted.
        """
        outputs = np.array([self._output(one) for one in predicted], dtype=np.intp)
        base, steps = self.scores.steps(rows, outputs)
        bases, contributions = self._answered(base, steps, outputs)
        due = [value_of(*pair) for pair in zip(predicted, outputs, strict=True)]
        refuse_difference(bases, contributions, np.array(due, dtype=float))
        return [
            Explanation(first, dict(zip(self.columns, added, strict=True)))
            for first, added in zip(bases.tolist(), contributions.tolist(), strict=True)
        ]

    def _output(self, predicted: Predicted) -> int:
        return self.labels.index(predicted.label) if isinstance(predicted, Classified) else 0

    def _answered(
        self, base: Numbers, steps: Numbers, outputs: Positions
    ) -> tuple[Numbers, Numbers]:
        """Turn scores into the answers that they stand for."""
        curve = self.parts.curve(outputs) if self.scores.is_score else None
        if curve is None:
            return base, steps
        slopes = secants(curve, base, steps.sum(axis=1))
        return curve(base), steps * slopes[:, None]


def explains(estimator: Any, model: Described) -> bool:
    """Say whether the estimator's answers to its example and its golden rows can be explained."""
    columns = model.input_schema["properties"]
    golden = [list(map(one["input"].get, columns)) for one in model.golden_rows]
    try:
        rows = [example_of(model), *golden]
        Explainer(estimator, model).explain(rows, ask(estimator, model=model, rows=rows))
    # It has answered these rows; whatever else it trips over, explanations are no must.
    except Exception as failure:
        logger.info("explanations_not_offered", extra={"reason": in_words(failure)})
        return False
    return True


class Scores(Protocol):
    """Where n scores begin, and n rows of what each column adds to them."""

    is_score: bool

    def steps(self, rows: Rows, outputs: Positions) -> tuple[Numbers, Numbers]: ...


def scores_of(parts: Parts, model: Described) -> Scores:
    if isinstance(parts.last, FORESTS + TREES):
        return AlongPaths(parts, model)
    if hasattr(parts.last, "coef_"):
        return ColumnByColumn(parts, model)
    raise ExplanationsNotOffered(
        f"A {type(parts.last).__name__} is neither linear nor made of trees."
    )


class ColumnByColumn:
    """A sum over the columns: the example's score, with one column after another put in."""

    is_score = True

    def __init__(self, parts: Parts, model: Described) -> None:
        if is_classifier(parts.last) and len(parts.last.classes_) != 2:
            raise ExplanationsNotOffered("A linear model of more than two labels has no one score.")
        self.parts, self.model = parts, model
        self.example = example_of(model)
        self.base = self._scores([self.example])[0]

    def steps(self, rows: Rows, outputs: Positions) -> tuple[Numbers, Numbers]:
        each = max(1, ROWS_AT_ONCE // len(self.example))
        slices = [rows[at : at + each] for at in range(0, len(rows), each)]
        scores = np.concatenate([self._scores(self._varied(few)) for few in slices])
        steps = scores.reshape(len(rows), len(self.example)) - self.base
        return np.full(len(rows), self.base), steps

    def _varied(self, rows: Rows) -> list[list[Value]]:
        return [changed(self.example, at, value) for row in rows for at, value in enumerate(row)]

    def _scores(self, rows: Rows) -> Numbers:
        return self.parts.score(as_taken(rows, self.model))


class AlongPaths:
    """Trees: the mean at the root, and what the splits on the way to the leaf add."""

    def __init__(self, parts: Parts, model: Described) -> None:
        self.parts, self.model = parts, model
        # A label's share is the answer itself.
        self.is_score = not is_classifier(parts.last)
        try:
            self.paths = TreePaths(parts.last, sources(parts, model), len(example_of(model)))
        except (KeyError, ValueError) as refusal:
            raise ExplanationsNotOffered(str(refusal)) from refusal

    def steps(self, rows: Rows, outputs: Positions) -> tuple[Numbers, Numbers]:
        features = dense(self.parts.features(as_taken(rows, self.model)))
        return self.paths.base[outputs], self.paths.contributions(features, outputs)


def sources(parts: Parts, model: Described) -> list[int]:
    """Return the position of the column behind each feature, or -1 if no single one was found.

    Each column of the example in turn is given other values, to see which features move.
    """
    example = example_of(model)
    before = dense(parts.features(as_taken([example], model)))[0]
    found = np.full((len(example), len(before)), fill_value=False)
    for at, column in enumerate(model.input_schema["properties"].values()):
        rows = [changed(example, at, value) for value in tried_values(column)]
        if rows:
            after = dense(parts.features(as_taken(rows, model)))
            found[at] = ((after != before) & ~(np.isnan(after) & np.isnan(before))).any(axis=0)
    columns: list[int] = np.where(found.sum(axis=0) == 1, found.argmax(axis=0), -1).tolist()
    return columns


def tried_values(column: Mapping[str, Any]) -> Iterator[Value]:
    """Yield all values of a category, or some over the range of a number."""
    yield from column.get("enum", [])
    if "boolean" in column["type"]:
        yield from (True, False)
    if "x-training-range" in column:
        low, high = column["x-training-range"]
        numbers = np.linspace(low, high, TRIED_NUMBERS).tolist()
        yield from (map(round, numbers) if "integer" in column["type"] else numbers)
    if has_gaps(column):
        yield None


def secants(curve: Callable[[Numbers], Numbers], base: Numbers, rise: Numbers) -> Numbers:
    """Return the curve's slopes between base and base + rise; of a tiny rise its tangent."""
    is_small = np.abs(rise) < SMALL_STEP
    tangents = (curve(base + SLOPE_OVER) - curve(base - SLOPE_OVER)) / (2 * SLOPE_OVER)
    return np.where(
        is_small, tangents, (curve(base + rise) - curve(base)) / np.where(is_small, 1, rise)
    )


def refuse_difference(bases: Numbers, contributions: Numbers, due: Numbers) -> None:
    """Raise ExplanationsNotOffered if a finite prediction is not the sum that explains it."""
    sums = bases + contributions.sum(axis=1)
    size = np.abs(bases) + np.abs(contributions).sum(axis=1)
    differs = np.abs(sums - due) > TOLERANCE * np.abs(due) + NEAR_ZERO * size
    if (np.isfinite(due) & (differs | ~np.isfinite(sums))).any():
        raise ExplanationsNotOffered("The columns do not add up to what was predicted.")


def value_of(predicted: Predicted, output: int) -> float:
    """Return the number that is explained: of a label, how probable it is."""
    if isinstance(predicted, Classified):
        return list(predicted.probabilities.values())[output]
    return predicted


def example_of(model: Described) -> list[Value]:
    return [model.example[name] for name in model.input_schema["properties"]]


def as_taken(rows: Rows, model: Described) -> Any:
    return shaped(rows, kind=model.input_kind, columns=model.input_schema["properties"])


def changed(row: Sequence[Value], at: int, value: Value) -> list[Value]:
    return [*row[:at], value, *row[at + 1 :]]


def dense(features: Any) -> Numbers:
    return np.asarray(features.toarray() if hasattr(features, "toarray") else features, dtype=float)
