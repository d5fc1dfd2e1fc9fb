"""Asking again: the form filled with what was sent before, for the version that serves now."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from ml_models.models import ModelVersion
from ml_models.selectors import forget_found_versions
from predictions.forms import OneRowForm, TableForm
from predictions.models import Prediction
from tests.conftest import make_prediction

PageOf = Callable[[User], Client]


def again(client: Client, prediction: Prediction) -> Any:
    answer = client.get(f"/predictions/{prediction.pk}/again")
    assert answer.status_code == 200
    return answer


def sent_from(answer: Any) -> dict[str, Any]:
    """Return what a browser would send of a form that nobody touched."""
    form, version = answer.context["form"], answer.context["version"]
    fields = {field.html_name: field.value() or "" for field in form if field.name != "file"}
    extra = {"as": "table"} if isinstance(form, TableForm) else {}
    return {"model": version.model.slug, "version": version.number, **fields, **extra}


@pytest.fixture
def row(published_version: ModelVersion) -> dict[str, Any]:
    return {**published_version.example, "carat": 1.25}


def test_one_row_fills_the_form_and_can_be_sent_as_it_stands(
    page: PageOf, alice: User, row: dict[str, Any]
) -> None:
    earlier = make_prediction(alice, input=row)
    client = page(alice)

    answer = again(client, earlier)
    client.post("/predictions/new", sent_from(answer))

    assert isinstance(answer.context["form"], OneRowForm)
    repeated = Prediction.objects.exclude(pk=earlier.pk).get()
    assert repeated.input_value == row


def test_many_rows_fill_the_table_and_can_be_sent_as_they_stand(
    page: PageOf, alice: User, row: dict[str, Any]
) -> None:
    rows = [row, {**row, "carat": 2}]
    earlier = make_prediction(alice, input=rows)
    client = page(alice)

    answer = again(client, earlier)
    client.post("/predictions/new", sent_from(answer))

    assert isinstance(answer.context["form"], TableForm)
    repeated = Prediction.objects.exclude(pk=earlier.pk).get()
    assert repeated.input_value == rows


def test_a_value_that_looks_like_a_formula_is_filled_in_as_it_was(
    page: PageOf, alice: User, row: dict[str, Any]
) -> None:
    earlier = make_prediction(alice, input=[row, {**row, "cut": "=Ideal"}])

    table = again(page(alice), earlier).context["form"]["text"].value()

    assert "=Ideal" in table
    assert "'=" not in table


def test_a_row_that_was_none_leaves_its_place_empty(
    page: PageOf, alice: User, row: dict[str, Any]
) -> None:
    earlier = make_prediction(alice, input=[row, "no row", {**row, "cut": {"a": 1}}])

    table = again(page(alice), earlier).context["form"]["text"].value()

    assert [line.strip(",") for line in table.splitlines()][2] == ""
    assert '{""a"":1}' in table


def test_it_asks_the_version_that_serves_now_and_shows_its_price(
    page: PageOf, alice: User, row: dict[str, Any], published_version: ModelVersion
) -> None:
    earlier = make_prediction(alice, input=row)
    second = ModelVersion.objects.get(pk=published_version.pk)
    second.pk, second.number, second.price = None, 2, 3
    second.save()
    published_version.model.stable = second
    published_version.model.save()
    forget_found_versions()

    answer = again(page(alice), earlier)

    assert answer.context["version"].number == 2
    assert "3 credits a row" in answer.content.decode()


def test_explanations_are_asked_for_again(page: PageOf, alice: User, row: dict[str, Any]) -> None:
    plain, told = make_prediction(alice, input=row), make_prediction(alice, input=row)
    Prediction.objects.filter(pk=told.pk).update(explain=True)

    client = page(alice)

    assert not again(client, plain).context["is_explained"]
    assert again(client, told).context["is_explained"]


def test_rows_that_were_removed_cannot_be_sent_again(
    page: PageOf, alice: User, row: dict[str, Any]
) -> None:
    earlier = make_prediction(alice, input=row)
    Prediction.objects.filter(pk=earlier.pk).update(data_removed=True, input="null")
    client = page(alice)

    assert client.get(f"/predictions/{earlier.pk}/again").status_code == 404
    assert f"{earlier.pk}/again" not in client.get("/predictions").content.decode()


def test_the_history_and_the_prediction_lead_to_it(
    page: PageOf, alice: User, row: dict[str, Any]
) -> None:
    earlier = make_prediction(alice, input=row)
    client = page(alice)

    for address in ("/predictions", f"/predictions/{earlier.pk}"):
        assert f'href="/predictions/{earlier.pk}/again"' in client.get(address).content.decode()


def test_a_stranger_is_told_nothing(
    page: PageOf, alice: User, bob: User, row: dict[str, Any]
) -> None:
    earlier = make_prediction(alice, input=row)

    assert page(bob).get(f"/predictions/{earlier.pk}/again").status_code == 404


def test_it_needs_a_sign_in(client: Client, alice: User, row: dict[str, Any]) -> None:
    earlier = make_prediction(alice, input=row)

    answer = client.get(f"/predictions/{earlier.pk}/again")

    assert answer["Location"].startswith("/sign-in?next=/predictions/")
