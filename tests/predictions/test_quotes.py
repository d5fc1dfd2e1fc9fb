"""A quote says what a prediction would cost, and leaves no trace."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import User
from billing.models import Hold
from billing.services import set_spending_cap, wallet_of
from ml_models.models import ModelVersion
from predictions.models import Prediction

URL = "/api/v1/quotes"
BROKEN = {"carat": "heavy"}


def asked(client: APIClient, rows: Any, **fields: Any) -> Any:
    body = {"model": "random-forest", "input": rows, **fields}
    return client.post(URL, body, format="json")


def test_ten_rows_of_which_three_are_broken(
    alice: User, api: Callable[[User], APIClient], forest_version: ModelVersion
) -> None:
    rows = [forest_version.example] * 7 + [BROKEN] * 3

    answer = asked(api(alice), rows)

    quoted = answer.json()
    assert answer.status_code == 200
    assert (quoted["rows_total"], quoted["rows_valid"]) == (10, 7)
    assert (quoted["price"], quoted["cost"], quoted["available"]) == (5, 35, 1_000)
    assert quoted["sufficient"] is True
    assert {error["index"] for error in quoted["errors"]} == {7, 8, 9}


def test_nothing_is_written_and_nothing_held(
    alice: User, api: Callable[[User], APIClient], forest_version: ModelVersion
) -> None:
    asked(api(alice), forest_version.example)

    assert not Hold.objects.exists()
    assert not Prediction.objects.exists()
    assert wallet_of(alice.pk).held == 0


def test_without_a_valid_row_it_costs_nothing_and_would_not_start(
    alice: User, api: Callable[[User], APIClient], forest_version: ModelVersion
) -> None:
    quoted = asked(api(alice), [BROKEN]).json()

    assert (quoted["cost"], quoted["sufficient"]) == (0, False)


def test_more_than_the_wallet_or_its_cap_allows_is_not_sufficient(
    alice: User, api: Callable[[User], APIClient], forest_version: ModelVersion
) -> None:
    many = [forest_version.example] * 201

    assert asked(api(alice), many).json()["sufficient"] is False
    assert asked(api(alice), many[:200]).json()["sufficient"] is True
    set_spending_cap(wallet_id=wallet_of(alice.pk).pk, cap=999)
    assert asked(api(alice), many[:200]).json()["sufficient"] is False


def test_it_needs_a_token(forest_version: ModelVersion) -> None:
    assert asked(APIClient(), forest_version.example).status_code == 401


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"model": "none"}, 404, "model_not_found"),
        ({"input": [{}] * 1_001}, 413, "payload_too_large"),
        ({"input": []}, 400, "invalid_request"),
    ],
)
def test_refusals_are_those_of_a_prediction(
    alice: User,
    api: Callable[[User], APIClient],
    forest_version: ModelVersion,
    fields: dict[str, Any],
    status: int,
    code: str,
) -> None:
    answer = asked(api(alice), fields.pop("input", forest_version.example), **fields)

    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_the_form_shows_what_it_would_cost(
    alice: User, page: Callable[[User], Client], forest_version: ModelVersion
) -> None:
    filled = {f"column-{name}": value for name, value in forest_version.example.items()}
    form = {"model": "random-forest", "version": "1", **filled}

    good = page(alice).post("/predictions/quote", form)
    bad = page(alice).post("/predictions/quote", {**form, "column-carat": "heavy"})

    assert "This will cost 5 credits." in good.content.decode()
    assert "Left afterwards: 995." in good.content.decode()
    assert "Valid rows: 0 of 1." in " ".join(bad.content.decode().split())


def test_the_form_asks_for_its_quote(
    alice: User, page: Callable[[User], Client], forest_version: ModelVersion
) -> None:
    shown = page(alice).get("/predictions/new?model=random-forest").content.decode()

    assert 'hx-post="/predictions/quote"' in shown
