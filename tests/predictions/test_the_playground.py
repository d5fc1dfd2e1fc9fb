"""What is said beside the form while somebody types, and the result that comes beside it."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from billing.services import wallet_of
from ml_models.models import ModelVersion
from predictions import playground
from predictions.models import Prediction
from predictions.runner import run
from predictions.snippets import snippets
from predictions.waiting import submit_and_wait, waiters
from tests.conftest import make_prediction

NEW, QUOTE = "/predictions/new", "/predictions/quote"
PageOf = Callable[[User], Client]
HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiters, "is_draining", True)


@pytest.fixture
def worker_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have what is submitted predicted before the page answers, as a quick worker does."""

    def submit_and_run(*, seconds: float, **submission: Any) -> Prediction:
        prediction = submit_and_wait(seconds=0, **submission)
        run([prediction.pk])
        return Prediction.objects.with_version().get(pk=prediction.pk)

    monkeypatch.setattr(playground, "submit_and_wait", submit_and_run)


def sent(version: ModelVersion, **columns: Any) -> dict[str, Any]:
    row = {f"column-{name}": value for name, value in (version.example | columns).items()}
    return {"model": version.model.slug, "version": version.number, **row}


def beside(answer: Any) -> dict[str, tuple[str, bool]]:
    return {said.id: (said.text, said.is_wrong) for said in answer.context["beside"] if said.text}


def test_each_input_is_told_what_is_wrong_with_it(
    page: PageOf, alice: User, published_version: ModelVersion
) -> None:
    fields = sent(published_version, carat="heavy", depth="120", table="")

    answer = page(alice).post(QUOTE, fields)

    assert beside(answer) == {
        "id_column-carat_said": ("Must be a number.", True),
        "id_column-depth_said": ("Must be from 0 to 100.", True),
        "id_column-table_said": ("Is missing.", True),
    }
    assert len(answer.context["beside"]) == len(published_version.example)


def test_a_value_outside_the_training_data_is_a_warning_and_no_error(
    page: PageOf, alice: User, published_version: ModelVersion
) -> None:
    answer = page(alice).post(QUOTE, sent(published_version, carat="7"))

    said = "Outside the training data (0.2 – 5.01): predicted with a warning."
    assert beside(answer) == {"id_column-carat_said": (said, False)}
    assert "This will cost 1 credit" in answer.content.decode()


def test_what_is_said_is_in_the_readers_language(
    page: PageOf, alice: User, published_version: ModelVersion
) -> None:
    client = page(alice)
    client.cookies["django_language"] = "ru"

    answer = client.post(QUOTE, sent(published_version, carat="heavy"))

    assert beside(answer)["id_column-carat_said"] == ("Должно быть число.", True)


def test_cells_of_several_rows_are_told_and_empty_rows_are_not(
    page: PageOf, alice: User, published_version: ModelVersion
) -> None:
    row = {f"row-1-column-{name}": value for name, value in published_version.example.items()}
    fields = {"model": "linear-regression", "as": "rows", "rows": "3", **row}

    answer = page(alice).post(QUOTE, fields | {"row-1-column-x": "wide"})

    assert beside(answer) == {"id_row-1-column-x_said": ("Must be a number.", True)}
    assert len(answer.context["beside"]) == 3 * len(row)


def test_a_table_is_shown_with_what_does_not_fit(
    page: PageOf, alice: User, published_version: ModelVersion
) -> None:
    names = list(published_version.example)
    good = ";".join(str(value) for value in published_version.example.values())
    wrong = good.replace("Very Good", "Splendid")
    text = "\n".join([";".join(names), *[good] * 30, wrong])

    answer = page(alice).post(QUOTE, {"model": "linear-regression", "as": "table", "text": text})

    preview = answer.context["preview"]
    assert (preview.delimiter, preview.total, preview.wrong) == (";", 31, 1)
    assert [number for number, _ in preview.rows] == [1, 2, 3, 4, 5, 31]
    complaints = [cell.complaint for cell in preview.rows[-1][1] if cell.complaint]
    assert complaints == ["Must be one of: Fair, Good, Very Good, Premium, Ideal."]
    assert "separated by semicolons" in answer.content.decode()


def test_a_text_that_is_no_table_is_told_why_before_it_is_sent(
    page: PageOf, alice: User, published_version: ModelVersion
) -> None:
    names = ";".join(published_version.example)
    row = ";".join(str(value) for value in published_version.example.values())
    text = f"{names}\n{row.replace('0.7', '0,7')}"

    answer = page(alice).post(QUOTE, {"model": "linear-regression", "as": "table", "text": text})

    assert "Line 2: Write decimals with a point, as 0.7, not 0,7." in answer.content.decode()


def test_an_untouched_table_is_not_complained_about(
    page: PageOf, alice: User, published_version: ModelVersion
) -> None:
    answer = page(alice).post(QUOTE, {"model": "linear-regression", "as": "table", "text": ""})

    assert "notice--error" not in answer.content.decode()


def test_the_result_comes_beside_the_form_with_the_new_balance(
    page: PageOf, alice: User, published_version: ModelVersion, worker_at_once: None
) -> None:
    answer = page(alice).post(NEW, sent(published_version) | {"explain": "on"}, headers=HTMX)

    shown = answer.content.decode()
    assert answer.status_code == 200
    assert "<html" not in shown
    assert "figure-card__value" in shown
    assert "The model begins at" in shown
    assert 'id="purse" href="/wallet" title="Available credits" hx-swap-oob="true"' in shown
    assert "998" in shown
    assert "hx-get" not in shown


def test_a_result_that_is_not_there_yet_asks_again_by_itself(
    page: PageOf, alice: User, published_version: ModelVersion
) -> None:
    client = page(alice)
    shown = client.post(NEW, sent(published_version), headers=HTMX).content.decode()
    prediction = Prediction.objects.get()
    address = f"/predictions/{prediction.pk}?as=result&amp;seen=starting"

    same = client.get(address.replace("&amp;", "&"), headers=HTMX)
    run([prediction.pk])
    done = client.get(address.replace("&amp;", "&"), headers=HTMX)

    assert f'hx-get="{address}"' in shown
    assert (same.status_code, same["HX-Reswap"]) == (200, "none")
    assert 'id="progress"' in same.content.decode()
    assert done.status_code == 286
    assert 'id="outcome"' in done.content.decode()


def test_what_is_sent_after_a_result_is_a_prediction_of_its_own(
    page: PageOf, alice: User, published_version: ModelVersion
) -> None:
    client = page(alice)
    fields = sent(published_version, nonce="") | {"nonce": "the first"}

    first = client.post(NEW, fields, headers=HTMX)
    client.post(NEW, fields, headers=HTMX)
    client.post(NEW, fields | {"nonce": str(first.context["form_nonce"])}, headers=HTMX)

    assert first.context["form_nonce"] != "the first"
    assert Prediction.objects.count() == 2
    assert wallet_of(alice.pk).held == 2


def test_a_refusal_takes_the_place_of_the_form(
    page: PageOf, alice: User, published_version: ModelVersion
) -> None:
    answer = page(alice).post(NEW, sent(published_version, depth="120"), headers=HTMX)

    shown = answer.content.decode()
    assert answer.status_code == 200
    assert (answer["HX-Retarget"], answer["HX-Reswap"]) == ("#playground", "outerHTML")
    assert "Must be from 0 to 100." in shown
    assert "<html" not in shown
    assert not Prediction.objects.exists()


def test_the_models_own_page_is_the_playground_too(
    page: PageOf, alice: User, published_version: ModelVersion, client: Client
) -> None:
    mine = page(alice).get("/models/linear-regression").content.decode()
    anybodys = client.get("/models/linear-regression").content.decode()

    assert 'hx-post="/predictions/new"' in mine
    assert "playground__send" in mine
    assert 'hx-post="/predictions' not in anybodys
    assert 'href="/sign-in?next=/models/linear-regression"' in anybodys


def test_the_same_call_follows_what_is_typed(
    page: PageOf, alice: User, published_version: ModelVersion
) -> None:
    answer = page(alice).post(QUOTE, sent(published_version, carat="1.75") | {"explain": "on"})

    told = answer.context["snippets"]
    assert list(told) == ["curl", "Python", "JavaScript"]
    assert all("1.75" in call and "explain" in call for call in told.values())
    assert all("http://testserver/api/v1/predictions" in call for call in told.values())


def test_a_quotation_mark_ends_no_snippet() -> None:
    body = {"model": "toy", "input": {"it's": 'a "quoted" \\ text'}}

    told = snippets(url="http://x/", body=body)

    script = told["Python"].split("\nrequest")[0].removeprefix("import json, os, urllib.request")
    names: dict[str, Any] = {}
    exec(script, names)
    assert names["body"] == body
    assert "it'\\''s" in told["curl"]


def test_the_invalid_rows_are_handed_out_alone(
    page: PageOf, alice: User, published_version: ModelVersion
) -> None:
    rows = [published_version.example, published_version.example | {"carat": "heavy"}]
    prediction = make_prediction(alice, input=rows)
    run([prediction.pk])

    table = page(alice).get(f"/predictions/{prediction.pk}/results.csv?rows=invalid")

    lines = table.content.decode().splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("2,heavy")
    assert "Carat: must be a number" in lines[1]
    assert f"{prediction.pk}-invalid.csv" in table["Content-Disposition"]
