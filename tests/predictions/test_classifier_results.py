"""What a classifier says is charged, shown and handed out: a label and its probabilities."""

import csv
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import User
from billing.services import wallet_of
from ml_models import inference
from ml_models.inference import Classified
from ml_models.models import ModelVersion
from ml_models.selectors import version_by_id
from predictions import tables
from predictions.models import Prediction
from predictions.runner import run
from tests.conftest import make_prediction
from tests.ml_models.builders import make_classifier_version

PageOf = Callable[[User], Client]
ROWS = [{"width": 4.5, "age": 1.0}, {"width": "wide", "age": 1.0}, {"width": 0.5, "age": 0.0}]


@pytest.fixture(autouse=True)
def store(settings: Any, tmp_path: Path) -> Iterator[None]:
    settings.MODEL_STORE_DIR = str(tmp_path / "store")
    inference.unload()
    version_by_id.cache_clear()
    yield
    inference.unload()
    version_by_id.cache_clear()


@pytest.fixture
def classifier(db: None) -> ModelVersion:
    return make_classifier_version()


@pytest.fixture
def classified(alice: User, classifier: ModelVersion) -> Prediction:
    """Two rows that fit with one between them that does not."""
    prediction = make_prediction(alice, model="toy", input=ROWS)
    run([prediction.pk])
    prediction.refresh_from_db()
    return prediction


def test_each_row_has_its_label_and_a_probability_for_every_label(
    alice: User, api: Callable[[User], APIClient], classified: Prediction
) -> None:
    answer = api(alice).get(f"/api/v1/predictions/{classified.pk}").json()

    first, refused, last = answer["output"]
    assert (first["prediction"], refused["status"], last["prediction"]) == (
        "long",
        "invalid",
        "short",
    )
    for row in (first, last):
        assert list(row["probabilities"]) == ["long", "short"]
        assert sum(row["probabilities"].values()) == pytest.approx(1.0)
        assert max(row["probabilities"], key=row["probabilities"].__getitem__) == row["prediction"]
    assert answer["cost"] == 6
    assert wallet_of(alice.pk).balance == 994


def test_a_row_with_a_probability_that_is_no_number_fails_and_is_free(
    alice: User, classifier: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = [Classified("long", {"long": 1.0, "short": 0.0}), Classified("long", {"long": math.nan})]
    monkeypatch.setattr(inference, "predict", lambda version, rows: said)
    prediction = make_prediction(alice, model="toy", input=[ROWS[0], ROWS[2]])

    run([prediction.pk])

    prediction.refresh_from_db()
    output = prediction.output_value or []
    assert [row["status"] for row in output] == ["succeeded", "failed"]
    assert output[1]["errors"][0]["code"] == "non_finite_prediction"
    assert prediction.cost == 3


def test_the_page_shows_labels_and_probabilities(
    page: PageOf, alice: User, classified: Prediction
) -> None:
    answer = page(alice).get(f"/predictions/{classified.pk}")

    shown = answer.content.decode()
    rows = answer.context["rows"]
    assert [row.shown_prediction for row in rows] == ["long", "", "short"]
    assert [name for name, _ in rows[2].shown_probabilities] == ["short", "long"]
    assert shown.count('class="probabilities') == 2


def test_one_row_alone_shows_its_probabilities_in_the_card(
    page: PageOf, alice: User, classifier: ModelVersion
) -> None:
    prediction = make_prediction(alice, model="toy", input=ROWS[0])
    run([prediction.pk])

    shown = page(alice).get(f"/predictions/{prediction.pk}").content.decode()

    assert '<data class="figure-card__value" value="long">long</data>' in shown
    assert shown.count('class="probabilities') == 2


def test_a_page_shows_the_most_probable_labels_of_many(alice: User, db: None) -> None:
    shares = {f"label {number}": number / 45 for number in range(10)}
    schema = {"type": "string", "enum": list(shares), "x-probabilities": list(shares)}
    make_classifier_version(output_schema=schema)
    prediction = make_prediction(alice, model="toy", input=ROWS[0])
    said = {"index": 0, "status": "succeeded", "prediction": "label 9", "probabilities": shares}
    prediction.output = json.dumps([said])

    (row,) = tables.result_rows(prediction)

    assert [name for name, _ in row.shown_probabilities] == [f"label {n}" for n in (9, 8, 7, 6, 5)]


def test_the_download_has_a_column_for_every_probability(
    page: PageOf, alice: User, classified: Prediction
) -> None:
    answer = page(alice).get(f"/predictions/{classified.pk}/results.csv")

    first, refused, last = csv.DictReader(answer.content.decode().splitlines())
    output = classified.output_value or []
    assert list(first)[-5:] == [
        "status", "prediction", "probability_long", "probability_short", "notes",
    ]  # fmt: skip
    assert float(last["probability_short"]) == output[2]["probabilities"]["short"]
    assert (first["prediction"], refused["probability_long"]) == ("long", "")


def test_the_model_page_names_the_labels(client: Client, classifier: ModelVersion) -> None:
    answer = client.get("/models/toy")

    assert answer.context["gives"]["labels"] == "long, short"
    assert b"probability of every label" in answer.content


def test_the_api_document_describes_probabilities(client: Client) -> None:
    document = client.get("/api/schema/", headers={"Accept": "application/json"}).json()

    output = document["components"]["schemas"]["Prediction"]["properties"]["output"]
    assert output["items"]["properties"]["probabilities"]["additionalProperties"] == {
        "type": "number", "minimum": 0, "maximum": 1,
    }  # fmt: skip
