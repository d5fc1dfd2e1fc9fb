"""Goal: inference gives what the artifact's own `predict` gives, stacked or one by one."""

import random
from collections.abc import Iterator
from typing import Any

import joblib
import numpy as np
import pytest

from ml_models import inference
from ml_models.models import Artifact, ModelVersion
from ml_models.releases import artifact_path, describe_artifact
from tests.ml_models.builders import (
    dumped,
    make_artifact,
    make_estimator,
    make_foreign_version,
    make_real_version,
    make_version,
)

pytestmark = pytest.mark.django_db

REAL = ["random-forest", "linear-regression"]


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    inference.unload()
    yield
    inference.unload()


def random_rows(version: ModelVersion, count: int) -> list[list[Any]]:
    """Return rows within the training ranges, numbers whole now and then."""
    dice = random.Random(11)
    return [
        [random_value(dice, column) for column in version.input_schema["properties"].values()]
        for _ in range(count)
    ]


def random_value(dice: random.Random, column: dict[str, Any]) -> Any:
    if "enum" in column:
        return dice.choice(column["enum"])
    value = dice.uniform(*column["x-training-range"])
    return round(value) if dice.random() < 0.1 and round(value) > 0 else round(value, 2)


def artifact_answer(slug: str, rows: list[list[Any]]) -> list[float]:
    estimator = joblib.load(artifact_path(slug))
    answer: list[float] = estimator.predict(np.array(rows, dtype=object)).tolist()
    return answer


def test_the_forest_equals_its_artifact_bit_for_bit() -> None:
    version = make_real_version("random-forest")
    rows = random_rows(version, 300)

    assert inference.predict(version=version, rows=rows) == artifact_answer("random-forest", rows)


def test_the_forest_gives_the_same_alone_and_stacked() -> None:
    version = make_real_version("random-forest")
    rows = random_rows(version, 40)

    alone = [inference.predict(version=version, rows=[row])[0] for row in rows]

    assert inference.predict(version=version, rows=rows) == alone


def test_the_line_equals_its_artifact_to_the_twelfth_digit() -> None:
    version = make_real_version("linear-regression")
    rows = random_rows(version, 300)

    predicted = inference.predict(version=version, rows=rows)

    expected = artifact_answer("linear-regression", rows)
    assert predicted == pytest.approx(expected, rel=1e-12, abs=0)


def test_the_line_gives_the_same_alone_and_stacked_to_the_twelfth_digit() -> None:
    version = make_real_version("linear-regression")
    rows = random_rows(version, 40)

    alone = [inference.predict(version=version, rows=[row])[0] for row in rows]

    assert inference.predict(version=version, rows=rows) == pytest.approx(alone, rel=1e-12, abs=0)


@pytest.mark.parametrize("slug", REAL)
def test_the_example_of_a_shipped_model_is_predicted_near_its_price(slug: str) -> None:
    version = make_real_version(slug)

    predicted = inference.predict(version=version, rows=[inference.example_row(version)])

    assert predicted[0] == pytest.approx(5_250, abs=4_750)


@pytest.mark.parametrize("slug", REAL)
def test_the_outermost_rows_that_the_schema_takes_are_predicted_finite(slug: str) -> None:
    version = make_real_version(slug)
    columns = version.input_schema["properties"].values()

    lowest = [column["enum"][0] if "enum" in column else column["minimum"] for column in columns]
    highest = [column["enum"][-1] if "enum" in column else column["maximum"] for column in columns]

    predicted = inference.predict(version=version, rows=[lowest, highest])
    assert all(inference.is_finite(value) for value in predicted)


def test_no_rows_give_no_predictions() -> None:
    assert inference.predict(version=make_version(), rows=[]) == []


def test_an_estimator_is_loaded_once_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    version = make_version()
    loaded: list[Artifact] = []

    def load(artifact: Artifact) -> Any:
        loaded.append(artifact)
        return make_estimator()

    monkeypatch.setattr(inference, "load_estimator", load)

    inference.warm_up([version])
    predicted = inference.predict(version=version, rows=[[3.0, 1.0]])

    assert predicted == [pytest.approx(7.0)]
    assert loaded == [version.artifact]


def test_a_version_that_cannot_be_loaded_does_not_keep_the_others_from_it() -> None:
    gone = make_foreign_version(slug="gone", artifact=describe_artifact(b"never stored", "1"))
    good = make_version()

    inference.preload([gone, good])

    assert inference.predict(version=good, rows=[[1.0, 1.0]]) == [pytest.approx(3.0)]


def test_an_estimator_trained_on_many_threads_predicts_on_one() -> None:
    estimator = make_estimator()
    estimator.set_params(n_jobs=4)
    version = make_version(artifact=make_artifact(dumped(estimator)))

    loaded: Any = inference.load(version)

    assert loaded.get_params()["n_jobs"] == 1
