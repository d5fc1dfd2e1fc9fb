"""Goal: an artifact is joblib or skops; skops runs nothing, and neither passes versions over."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn import base
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from ml_models import artifacts
from ml_models.errors import ArtifactCorrupt, ArtifactIncompatible
from ml_models.formats import TRUSTED, skops_from
from tests.ml_models.builders import dumped, make_artifact, make_estimator
from tests.ml_models.test_loading_an_artifact import overwrite

FLOWERS, KINDS = load_iris(return_X_y=True)

CLASSIFIERS = [
    make_pipeline(StandardScaler(), LogisticRegression()),
    RandomForestClassifier(n_estimators=5, random_state=1),
    HistGradientBoostingClassifier(max_iter=3),
    KNeighborsClassifier(algorithm="kd_tree"),
    KNeighborsClassifier(algorithm="ball_tree"),
    CalibratedClassifierCV(LogisticRegression(), cv=2),
    MLPClassifier(max_iter=5, random_state=1),
    MLPClassifier(max_iter=5, random_state=1, solver="sgd"),
]


class Stranger(base.BaseEstimator):  # type: ignore[misc]
    """An estimator that is not scikit-learn's own."""

    def predict(self, features: Any) -> Any:
        return features


def loaded(content: bytes, format: str = "skops") -> Any:
    return artifacts.load_estimator(make_artifact(content, format=format))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("estimator", CLASSIFIERS, ids=lambda made: type(made).__name__)
def test_skops_gives_back_the_same_answers(estimator: Any) -> None:
    fitted = estimator.fit(FLOWERS, KINDS)

    again = loaded(skops_from(fitted))

    assert np.array_equal(again.predict_proba(FLOWERS), fitted.predict_proba(FLOWERS))


def test_a_function_of_the_system_in_skops_is_refused_and_never_called(tmp_path: Path) -> None:
    mark = tmp_path / "canary"
    bait = make_pipeline(FunctionTransformer(os.mkdir, kw_args={"mode": 0o700}), StandardScaler())
    bait.steps[1] = ("mark", FunctionTransformer(os.system, kw_args={"command": f"touch {mark}"}))
    content = skops.io.dumps(bait)

    with pytest.raises(ArtifactIncompatible, match="posix"):
        loaded(content)

    assert not mark.exists()


def test_a_type_that_is_not_scikit_learns_is_refused() -> None:
    with pytest.raises(ArtifactIncompatible, match="Stranger"):
        loaded(skops_from(Stranger()))


def test_nothing_but_scikit_learns_own_is_trusted() -> None:
    assert [name for name in TRUSTED if not name.startswith("sklearn.")] == []


def test_skops_of_a_wrong_digest_is_not_read() -> None:
    artifact = make_artifact(skops_from(make_estimator()), format="skops")
    overwrite(artifact.md5, skops_from(Stranger()))

    with pytest.raises(ArtifactCorrupt):
        artifacts.load_estimator(artifact)


@pytest.mark.parametrize(("said", "real"), [("joblib", skops_from), ("skops", dumped)])
def test_bytes_of_the_other_format_are_refused(said: str, real: Any) -> None:
    with pytest.raises(ArtifactIncompatible):
        loaded(real(make_estimator()), format=said)


def test_a_format_that_is_none_is_refused() -> None:
    with pytest.raises(ArtifactIncompatible):
        loaded(dumped(make_estimator()), format="pickle")


@pytest.mark.parametrize(("format", "write"), [("joblib", dumped), ("skops", skops_from)])
def test_an_estimator_that_another_scikit_learn_fitted_is_refused(
    format: str, write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as past:
        past.setattr(base, "__version__", "0.24.2")
        content = write(make_estimator())

    with pytest.raises(ArtifactIncompatible, match=r"InconsistentVersionWarning: .*0\.24\.2"):
        loaded(content, format=format)
