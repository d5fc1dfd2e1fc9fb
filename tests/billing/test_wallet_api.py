"""The wallet over the API."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from billing.models import TopUp
from billing.services import wallet_of
from billing.top_ups import start_top_up

LISTS = ["/api/v1/wallet/entries", "/api/v1/wallet/top-ups"]


def test_a_wallet_shows_balance_held_and_available(api: Any, alice: User) -> None:
    answer = api(alice).get("/api/v1/wallet")

    assert answer.status_code == 200
    assert answer.json() == {
        "balance": 1_000,
        "held": 0,
        "available": 1_000,
        "shortfall": 0,
        "spending_cap": None,
        "low_balance_threshold": None,
    }


@pytest.mark.parametrize("path", ["/api/v1/wallet", *LISTS])
def test_the_wallet_needs_a_token(client: Any, path: str, db: None) -> None:
    answer = client.get(path)

    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert answer.json()["code"] == "unauthenticated"


def test_a_top_up_is_created_paid_and_read_back(api: Any, alice: User) -> None:
    created = api(alice).post("/api/v1/wallet/top-ups", {"amount": 500}, format="json")

    assert created.status_code == 201
    body = created.json()
    assert (body["amount"], body["status"], body["provider"]) == (500, "paid", "demo")
    assert api(alice).get(f"/api/v1/wallet/top-ups/{body['id']}").json() == body
    assert wallet_of(alice.pk).balance == 1_500


def test_a_stranger_gets_404_for_a_top_up(api: Any, alice: User, bob: User) -> None:
    top_up = TopUp.objects.get(wallet__user=alice)

    answer = api(bob).get(f"/api/v1/wallet/top-ups/{top_up.pk}")

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("amount", [0, -1, 1e30, 0.5, "ten", True, None, 2**63, [], {}])
def test_a_bad_amount_gets_a_clear_refusal_and_writes_nothing(
    api: Any, alice: User, amount: Any
) -> None:
    answer = api(alice).post("/api/v1/wallet/top-ups", {"amount": amount}, format="json")

    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["detail"]
    assert TopUp.objects.filter(wallet__user=alice).count() == 1


def test_too_many_pending_top_ups_are_a_conflict_that_says_what_to_do(
    api: Any, alice: User, settings: Any
) -> None:
    settings.MAX_PENDING_TOP_UPS = 1
    wanted = {"amount": 500, "provider": "manual"}
    api(alice).post("/api/v1/wallet/top-ups", wanted, format="json")

    answer = api(alice).post("/api/v1/wallet/top-ups", wanted, format="json")

    assert answer.status_code == 409
    assert answer["Content-Type"] == "application/problem+json"
    assert (answer.json()["code"], answer.json()["pending"]) == ("too_many_pending_top_ups", 1)
    assert "wait for its expiry" in answer.json()["detail"]


@pytest.mark.parametrize("path", LISTS)
def test_a_list_shows_only_ones_own_rows_newest_first(
    api: Any, alice: User, bob: User, path: str
) -> None:
    start_top_up(wallet=wallet_of(alice.pk), amount=7)

    body = api(alice).get(path).json()

    assert set(body) == {"next", "previous", "results"}
    assert [row["amount"] for row in body["results"]] == [7, 1_000]


@pytest.mark.parametrize("path", LISTS)
def test_a_list_costs_the_same_queries_for_3_and_30_rows(api: Any, alice: User, path: str) -> None:
    counts = []
    for rows in (3, 27):
        for _ in range(rows):
            start_top_up(wallet=wallet_of(alice.pk), amount=1)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            api(alice).get(path)
        counts.append(len(queries))

    assert counts[0] == counts[1]


@pytest.mark.parametrize("cursor", ["nonsense", "cD1hYmM=", "cD0lMDA="])
def test_a_bad_cursor_is_a_problem_not_a_crash(api: Any, alice: User, cursor: str) -> None:
    answer = api(alice).get(f"/api/v1/wallet/entries?cursor={cursor}")

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
