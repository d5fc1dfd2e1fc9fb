"""Goal: a classifier gives its own label and its own probabilities, as JSON can say them."""

import math
from collections.abc import Iterator
from typing import Any

import pytest
from sklearn.linear_model import LinearRegression, RidgeClassifier

from ml_models import inference
from ml_models.inference import Classified, as_output, is_finite
from tests.ml_models.builders import (
    dumped,
    make_artifact,
    make_classifier,
    make_classifier_version,
    make_version,
)

pytestmark = pytest.mark.django_db

ROWS = [[4.5, 1.0], [0.5, 0.0], [3.0, 0.5]]


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    inference.unload()
    yield
    inference.unload()


def test_label_and_probabilities_are_the_classifiers_own() -> None:
    version, classifier = make_classifier_version(), make_classifier()

    predicted: list[Any] = inference.predict(version=version, rows=ROWS)

    assert [one.label for one in predicted] == classifier.predict(ROWS).tolist()
    shares = [list(one.probabilities.values()) for one in predicted]
    assert shares == classifier.predict_proba(ROWS).tolist()
    assert list(predicted[0].probabilities) == ["long", "short"]
    assert [sum(values) for values in shares] == [pytest.approx(1.0)] * 3


@pytest.mark.parametrize(
    ("labels", "type", "exact"),
    [((1, 0), "integer", int), ((True, False), "boolean", bool), ((2.0, 1.0), "number", float)],
)
def test_a_label_keeps_its_type(labels: tuple[Any, Any], type: str, exact: type) -> None:
    version = make_classifier_version(labels, type=type)

    predicted: Any = inference.predict(version=version, rows=ROWS)[0]

    assert predicted.label == labels[0]
    assert isinstance(predicted.label, exact)


def test_a_classifier_without_probabilities_gives_its_label_alone() -> None:
    classifier = RidgeClassifier().fit([[0.0, 0.0], [4.0, 1.0]], ["small", "large"])
    version = make_version(
        artifact=make_artifact(dumped(classifier)),
        output_schema={"type": "string", "enum": ["large", "small"]},
    )

    predicted = inference.predict(version=version, rows=[[4.0, 1.0]])

    assert [as_output(one) for one in predicted] == [{"prediction": "large"}]


def test_a_regressor_of_one_target_in_a_column_gives_plain_numbers() -> None:
    line = LinearRegression().fit([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], [[0.0], [2.0], [1.0]])
    version = make_version(artifact=make_artifact(dumped(line)))

    assert inference.predict(version=version, rows=[[3.0, 1.0]]) == [pytest.approx(7.0)]


@pytest.mark.parametrize("share", [math.nan, math.inf])
def test_a_probability_that_is_no_number_is_not_finite(share: float) -> None:
    assert not is_finite(Classified("long", {"long": 1.0, "short": share}))
    assert is_finite(Classified("long", {"long": 1.0, "short": 0.0}))
