"""The only place that predicts: a version and rows in, numbers out, exact to the artifact."""

import logging
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ml_models.artifacts import Estimator, load_estimator
from ml_models.models import Artifact, ModelVersion
from ml_models.row_errors import Value
from mlservice.lib.errors import DomainError

logger = logging.getLogger(__name__)

# An estimator of 20 MB on disk takes about as much in memory.
ESTIMATORS_KEPT = 8


def load(version: ModelVersion) -> Estimator:
    """Return the version's estimator, kept in this process by its digest.

    Raise ArtifactUnavailable or a BrokenArtifact if it cannot be loaded.
    """
    return _load(version.artifact)


def predict(*, version: ModelVersion, rows: Sequence[Sequence[Value]]) -> list[float]:
    """Predict n rows at once; return n floats, in the unit of the version's output schema.

    A row is the list of its values in the order of the input schema's properties. The
    answer is that of `estimator.predict` on the same rows and may hold NaN or infinity.
    """
    if not rows:
        return []
    predicted: list[float] = np.asarray(
        load(version).predict(np.array(rows, dtype=object)), dtype=float
    ).tolist()
    return predicted


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


def example_row(version: ModelVersion) -> list[Value]:
    """Return the version's example as a row, in the order of the input schema's properties."""
    return [version.example[name] for name in version.input_schema["properties"]]


@lru_cache(maxsize=ESTIMATORS_KEPT)
def _load(artifact: Artifact) -> Estimator:
    return _on_one_thread(load_estimator(artifact))


def _on_one_thread(estimator: Any) -> Estimator:
    # Workers share the cores among themselves: threads make small predictions slower.
    jobs = {name: 1 for name in estimator.get_params() if name.endswith("n_jobs")}
    fitted: Estimator = estimator.set_params(**jobs)
    return fitted
