"""The only place that knows the formats of an artifact: which bytes become an estimator, and how.

skops builds only the types it trusts; joblib runs what the bytes say, so that it is asked for
nothing but bytes whose digests were published.
"""

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any, Protocol

JOBLIB, SKOPS = "joblib", "skops"

# What skops doubts of scikit-learn's own, since it is compiled or private: tables of numbers and
# settings, none of which runs anything when it is built. Whatever else skops doubts is refused.
TRUSTED = [
    "sklearn._loss.loss.HalfTweedieLossIdentity",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.neighbors._ball_tree.BallTree",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    "sklearn.tree._tree.Tree",
]


class Estimator(Protocol):
    """A fitted scikit-learn estimator: a table of n rows in, n predictions out."""

    def predict(self, features: Any) -> Any: ...


def estimator_from(content: bytes, format: str) -> Estimator:
    """Make the bytes an estimator; one of another scikit-learn is an error, whatever trips too."""
    # Imported here, since relay, beat and web never load a model: it would cost each of them
    # two seconds and 150 MB.
    with without_pandas():
        import sklearn.utils.fixes  # noqa: F401
    from sklearn.exceptions import InconsistentVersionWarning

    with warnings.catch_warnings():
        warnings.simplefilter("error", InconsistentVersionWarning)
        return READERS[format](content)


@contextmanager
def without_pandas() -> Iterator[None]:
    """Keep pandas from being loaded just because it is installed, which takes 65 MB a process.

    scikit-learn asks at its start whether there is one, and later looks at what it is given.
    """
    if "pandas" in sys.modules:
        yield
        return
    sys.modules["pandas"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules["pandas"]


def from_joblib(content: bytes) -> Estimator:
    import joblib

    estimator: Estimator = joblib.load(BytesIO(content))
    return estimator


def from_skops(content: bytes) -> Estimator:
    import skops.io

    estimator: Estimator = skops.io.loads(content, trusted=TRUSTED)
    return estimator


def skops_from(estimator: Estimator) -> bytes:
    """Return the estimator's bytes in the format that runs nothing when it is read."""
    import skops.io

    content: bytes = skops.io.dumps(estimator)
    return content


READERS: dict[str, Callable[[bytes], Estimator]] = {JOBLIB: from_joblib, SKOPS: from_skops}
