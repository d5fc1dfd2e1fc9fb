"""Who asks why pays the version's multiple, and reads of each row what every column added."""

import csv
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import User
from billing.models import Hold
from billing.services import wallet_of
from ml_models.models import ModelVersion
from ml_models.services import set_explain_multiplier
from mlservice.audit import run_checks
from predictions import tables
from predictions.bars import bars_of
from predictions.models import Prediction
from predictions.runner import run
from predictions.waiting import waiters
from tests.conftest import make_prediction
from tests.ml_models.builders import make_version

URL = "/api/v1/predictions"
ApiOf = Callable[[User], APIClient]
PageOf = Callable[[User], Client]
BROKEN = {"carat": "heavy"}


@pytest.fixture(autouse=True)
def nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """No worker runs beside these tests: a page that waits for one would only cost time."""
    monkeypatch.setattr(waiters, "is_draining", True)


def finished(prediction: Prediction) -> Prediction:
    run([prediction.pk])
    prediction.refresh_from_db()
    assert prediction.status == "succeeded"
    return prediction


def total(explanation: dict[str, Any]) -> float:
    return float(explanation["base"] + sum(explanation["contributions"].values()))


def test_each_valid_row_is_explained_at_its_own_price(
    alice: User, api: ApiOf, forest_version: ModelVersion
) -> None:
    rows = [forest_version.example, BROKEN, forest_version.example | {"carat": 2.5}]
    body = {"model": "random-forest", "input": rows, "explain": True}

    accepted = api(alice).post(URL, body, format="json").json()

    assert (accepted["explain"], accepted["price"]) == (True, 10)
    assert wallet_of(alice.pk).held == 20
    done = finished(Prediction.objects.get(pk=accepted["id"]))
    first, refused, last = done.output_value or []
    assert (done.cost, wallet_of(alice.pk).balance) == (20, 980)
    assert "explanation" not in refused
    for row in (first, last):
        assert total(row["explanation"]) == pytest.approx(row["prediction"], rel=1e-9)
        assert list(row["explanation"]["contributions"]) == list(forest_version.example)
    assert last["explanation"]["contributions"]["carat"] > 0
    assert not any(run_checks().values())


def test_without_asking_nothing_is_explained_and_the_price_is_the_plain_one(
    alice: User, forest_version: ModelVersion
) -> None:
    done = finished(make_prediction(alice, model="random-forest"))

    [row] = done.output_value or []
    assert (done.price, done.cost) == (5, 5)
    assert "explanation" not in row


def test_one_group_holds_explained_and_plain_predictions(
    alice: User, bob: User, published_version: ModelVersion
) -> None:
    heavy = published_version.example | {"carat": 1.9}
    plain = make_prediction(alice, input=[heavy, BROKEN])
    explained = make_prediction(bob, input=[BROKEN, published_version.example, heavy], explain=True)

    run([plain.pk, explained.pk])

    plain.refresh_from_db()
    explained.refresh_from_db()
    first, _ = plain.output_value or []
    _, example, last = explained.output_value or []
    assert "explanation" not in first
    assert (plain.cost, explained.cost) == (1, 4)
    assert first["prediction"] == pytest.approx(last["prediction"], rel=1e-12)
    assert total(last["explanation"]) == pytest.approx(last["prediction"], rel=1e-9)
    assert set(example["explanation"]["contributions"].values()) == {0.0}


def test_a_version_that_explains_nothing_refuses_and_holds_nothing(alice: User, api: ApiOf) -> None:
    version = make_version(explain_multiplier=0)
    body = {"model": "toy", "input": version.example, "explain": True}

    answer = api(alice).post(URL, body, format="json")

    assert (answer.status_code, answer.json()["code"]) == (422, "explanations_not_offered")
    assert not Hold.objects.exists()
    assert not Prediction.objects.exists()


@pytest.mark.parametrize("word", ["sometimes", 7, None, []])
def test_explain_is_yes_or_no(alice: User, api: ApiOf, forest_version: Any, word: Any) -> None:
    body = {"model": "random-forest", "input": forest_version.example, "explain": word}

    answer = api(alice).post(URL, body, format="json")

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


def test_a_quote_says_the_price_of_explained_rows(
    alice: User, api: ApiOf, forest_version: ModelVersion
) -> None:
    body = {"model": "random-forest", "input": [forest_version.example] * 3, "explain": True}

    quoted = api(alice).post("/api/v1/quotes", body, format="json").json()

    assert (quoted["price"], quoted["cost"]) == (10, 30)


def test_the_same_key_does_not_buy_another_answer(
    alice: User, api: ApiOf, forest_version: ModelVersion
) -> None:
    body = {"model": "random-forest", "input": forest_version.example}
    client = api(alice)
    client.post(URL, body, format="json", headers={"Idempotency-Key": "one"})

    answer = client.post(
        URL, body | {"explain": True}, format="json", headers={"Idempotency-Key": "one"}
    )

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_mismatch")
    assert Prediction.objects.count() == 1


def test_what_was_accepted_keeps_its_multiple(alice: User, forest_version: ModelVersion) -> None:
    prediction = make_prediction(alice, model="random-forest", explain=True)

    set_explain_multiplier(version=forest_version, multiplier=7)

    assert finished(prediction).cost == 10


def test_the_model_says_what_explaining_costs(api: ApiOf, alice: User, forest_version: Any) -> None:
    card = api(alice).get("/api/v1/models/random-forest").json()

    assert (card["price"], card["explain_multiplier"]) == (5, 2)


def test_the_page_offers_explanations_and_quotes_them(
    alice: User, page: PageOf, forest_version: ModelVersion
) -> None:
    client = page(alice)
    form = client.get("/predictions/new?model=random-forest").content.decode()
    columns = {f"column-{name}": value for name, value in forest_version.example.items()}
    sent = {"model": "random-forest", "version": 1, **columns}

    plain = client.post("/predictions/quote", sent).content.decode()
    explained = client.post("/predictions/quote", sent | {"explain": "on"}).content.decode()

    assert 'name="explain"' in form
    assert "10 credits a row" in form
    assert "This will cost 5 credits" in plain
    assert "This will cost 10 credits" in explained


def test_the_page_keeps_the_wish_when_it_refuses(
    alice: User, page: PageOf, forest_version: ModelVersion
) -> None:
    sent = {"model": "random-forest", "version": 1, "column-carat": "heavy", "explain": "on"}

    answer = page(alice).post("/predictions/new", sent)

    assert answer.status_code == 422
    assert 'name="explain" checked' in answer.content.decode()


def test_a_model_without_explanations_offers_none(alice: User, page: PageOf) -> None:
    make_version(explain_multiplier=0)

    form = page(alice).get("/predictions/new?model=toy").content.decode()

    assert 'name="explain"' not in form


def test_a_form_sent_with_the_wish_is_explained_on_the_page(
    alice: User, page: PageOf, forest_version: ModelVersion
) -> None:
    columns = {f"column-{name}": value for name, value in forest_version.example.items()}
    sent = {"model": "random-forest", "version": 1, "explain": "on", **columns}
    client = page(alice)

    sent_on = client.post("/predictions/new", sent)["Location"]
    with_wish = Prediction.objects.get(pk=sent_on.split("/")[-1])
    finished(with_wish)
    shown = client.get(with_wish.get_absolute_url()).content.decode()

    assert with_wish.explain
    assert "The model begins at" in shown
    assert shown.count('class="bar"') == len(forest_version.example)


def test_the_csv_has_what_every_column_added(alice: User, forest_version: ModelVersion) -> None:
    done = finished(
        make_prediction(
            alice, model="random-forest", input=[forest_version.example, BROKEN], explain=True
        )
    )

    first, refused = csv.DictReader(tables.results_csv(done).splitlines())

    names = list(forest_version.example)
    added = sum(float(first[f"contribution_{name}"]) for name in names)
    assert float(first["base"]) + added == pytest.approx(float(first["prediction"]), rel=1e-9)
    assert refused["base"] == refused["contribution_carat"] == ""


def test_the_csv_of_a_plain_prediction_has_no_such_columns(
    alice: User, forest_version: ModelVersion
) -> None:
    done = finished(make_prediction(alice, model="random-forest"))

    assert "contribution_carat" not in tables.results_csv(done)


def test_bars_stand_from_the_longest_on_and_share_one_zero() -> None:
    columns: dict[str, Any] = {name: {} for name in "abc"}
    explanation = {"base": 10.0, "contributions": {"a": 1.0, "b": -3.0, "c": 2.0}}

    drawn = bars_of(explanation, columns)

    assert [(bar.title, bar.added) for bar in drawn.bars] == [("b", "−3"), ("c", "+2"), ("a", "+1")]
    assert drawn.zero == 60
    assert [(bar.x, bar.width) for bar in drawn.bars] == [(0, 60), (60, 40), (60, 20)]


def test_what_is_beyond_ten_bars_stands_together() -> None:
    names = [f"column {number}" for number in range(13)]
    explanation = {"base": 0.0, "contributions": {name: 13.0 - at for at, name in enumerate(names)}}

    drawn = bars_of(explanation, {name: {} for name in names})

    assert len(drawn.bars) == 11
    assert (drawn.bars[-1].title, drawn.bars[-1].added) == ("All others", "+6")


def test_nothing_added_draws_bars_of_no_width() -> None:
    drawn = bars_of({"base": 1.0, "contributions": {"a": 0.0}}, {"a": {}})

    assert [(bar.width, bar.x) for bar in drawn.bars] == [(0, drawn.zero)]


def test_the_answer_is_json_that_everybody_reads(alice: User, published_version: Any) -> None:
    done = finished(make_prediction(alice, explain=True))

    [row] = json.loads(done.output or "")
    assert set(row["explanation"]) == {"base", "contributions"}
