"""The only place that predicts: a version and rows in, answers out, exact to the artifact."""

import logging
import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ml_models.artifacts import load_estimator
from ml_models.formats import Estimator
from ml_models.models import Artifact, ModelVersion
from ml_models.releases import Described
from ml_models.row_errors import Value
from ml_models.shapes import shaped
from mlservice.lib.errors import DomainError

if TYPE_CHECKING:
    from ml_models.explanations import Explainer

logger = logging.getLogger(__name__)

# An estimator of 20 MB on disk takes about as much in memory.
ESTIMATORS_KEPT = 8

# An array has no names. That the estimator answers the same without them was seen at publishing.
warnings.filterwarnings("ignore", "X does not have valid feature names", UserWarning)

Label = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Classified:
    """What a classifier says of a row: its label, and how probable each label is, by its name."""

    label: Label
    probabilities: dict[str, float] = field(default_factory=dict)


Predicted = float | Classified


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a prediction is made of: `base`, and what each column adds; their sum is it.

    In the unit of what is predicted; of a label, in its probability.
    """

    base: float
    contributions: dict[str, float]


def load(version: ModelVersion) -> Estimator:
    """Return the version's estimator, kept in this process by its digest.

    Raise ArtifactUnavailable or a BrokenArtifact if it cannot be loaded.
    """
    return _load(version.artifact)


def predict(*, version: ModelVersion, rows: Sequence[Sequence[Value]]) -> list[Predicted]:
    """Predict n rows at once; return n floats, in the unit of the version's output schema.

    Of a classifier return n Classified instead. A row is the list of its values in the order of
    the input schema's properties. The answer is that of `estimator.predict` (and
    `predict_proba`) on the same rows and may hold NaN or infinity.
    """
    return ask(_predictor(version.artifact), model=version, rows=rows) if rows else []


def explain(
    *, version: ModelVersion, rows: Sequence[Sequence[Value]], predicted: Sequence[Predicted]
) -> list[Explanation]:
    """Explain what was predicted for n rows; return n explanations.

    Raise ExplanationsNotOffered if the estimator is of no kind that can be.
    """
    return _explainer(version).explain(rows, predicted) if rows else []


def ask(
    estimator: Estimator, *, model: Described, rows: Sequence[Sequence[Value]]
) -> list[Predicted]:
    """Have a loaded estimator predict rows of the model that it is the estimator of."""
    features = shaped(rows, kind=model.input_kind, columns=model.input_schema["properties"])
    return answer(estimator, features, output_schema=model.output_schema)


def answer(
    estimator: Estimator, features: Any, *, output_schema: Mapping[str, Any]
) -> list[Predicted]:
    """Return the answers for features that have the shape which the estimator takes."""
    if "enum" in output_schema:
        return classify(estimator, features, output_schema.get("x-probabilities"))
    predicted = np.asarray(estimator.predict(features), dtype=float)
    # A target of one column comes back as one.
    values: list[Predicted] = predicted.reshape(len(features)).tolist()
    return values


def classify(estimator: Any, features: Any, names: Sequence[str] | None) -> list[Predicted]:
    """Return each row's label and, where the estimator gives them, a probability a name."""
    labels = np.asarray(estimator.predict(features)).reshape(len(features)).tolist()
    if names is None:
        return [Classified(label) for label in labels]
    probable = np.asarray(estimator.predict_proba(features), dtype=float).tolist()
    return [
        Classified(label, dict(zip(names, values, strict=True)))
        for label, values in zip(labels, probable, strict=True)
    ]


def is_finite(predicted: Predicted) -> bool:
    if isinstance(predicted, Classified):
        return all(math.isfinite(value) for value in predicted.probabilities.values())
    return math.isfinite(predicted)


def as_output(predicted: Predicted) -> dict[str, Any]:
    """Return what a row of output says of a prediction."""
    if not isinstance(predicted, Classified):
        return {"prediction": predicted}
    if not predicted.probabilities:
        return {"prediction": predicted.label}
    return {"prediction": predicted.label, "probabilities": predicted.probabilities}


def preload(versions: Iterable[ModelVersion]) -> None:
    """Load the versions, so that processes forked from this one share them and start at once.

    It predicts nothing: threads that a prediction starts do not live through a fork. A
    version that cannot be loaded is logged and left to fail where it is asked for.
    """
    for version in versions:
        try:
            load(version)
        except DomainError:
            logger.exception("version_not_preloaded", extra={"version": version.pk})


def warm_up(versions: Iterable[ModelVersion]) -> None:
    """Predict each version's example, so that the first request is not slow."""
    for version in versions:
        try:
            predict(version=version, rows=[example_row(version)])
        except DomainError:
            logger.exception("version_not_warmed_up", extra={"version": version.pk})


def unload() -> None:
    """Let go of every estimator that this process keeps."""
    _load.cache_clear()
    _predictor.cache_clear()
    _explainer.cache_clear()


def example_row(version: ModelVersion) -> list[Value]:
    """Return the version's example as a row, in the order of the input schema's properties."""
    return [version.example[name] for name in version.input_schema["properties"]]


@lru_cache(maxsize=ESTIMATORS_KEPT)
def _load(artifact: Artifact) -> Estimator:
    return on_one_thread(load_estimator(artifact))


@lru_cache(maxsize=ESTIMATORS_KEPT)
def _predictor(artifact: Artifact) -> Estimator:
    # Imported here, since it brings scikit-learn, as loading does.
    from ml_models.quick import quick

    return quick(_load(artifact))


@lru_cache(maxsize=ESTIMATORS_KEPT)
def _explainer(version: ModelVersion) -> "Explainer":
    # Imported here, since it brings scikit-learn, and few predictions are explained.
    from ml_models.explanations import Explainer

    return Explainer(load(version), version)


def on_one_thread(estimator: Any) -> Estimator:
    """Take its threads from an estimator: workers share the cores, and small work is quicker."""
    jobs = {name: 1 for name in estimator.get_params() if name.endswith("n_jobs")}
    fitted: Estimator = estimator.set_params(**jobs)
    return fitted
