"""A month's statement: opening + what moved = closing, and months meet without a gap."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.models import User
from billing.models import LedgerEntry, Wallet
from billing.services import wallet_of
from billing.statements import month_after, statement
from tests.conftest import make_user

URL = "/api/v1/wallet/statements/"


def entered(wallet: Wallet, month: int, amount: int, after: int, **fields: Any) -> LedgerEntry:
    wanted = {"kind": "correction", "reference_type": "test", **fields}
    return LedgerEntry.objects.create(
        wallet=wallet,
        amount=amount,
        balance_after=after,
        reference_id=f"{month}-{after}-{amount}",
        created_at=datetime(2025, month, 15, tzinfo=UTC),
        **wanted,
    )


@pytest.fixture
def carol(db: None) -> User:
    """January +100 −30, nothing in February, March +5."""
    user = make_user("carol")
    wallet = wallet_of(user.pk)
    entered(wallet, 1, 100, 100, kind="grant", reason="=1+1")
    entered(wallet, 1, -30, 70)
    entered(wallet, 3, 5, 75)
    return user


@pytest.mark.parametrize(
    ("month", "opening", "closing"),
    [("2024-12", 0, 0), ("2025-01", 0, 70), ("2025-02", 70, 70), ("2025-03", 70, 75),
     ("2025-04", 75, 75), ("9999-12", 75, 75)],
)  # fmt: skip
def test_opening_and_entries_make_the_closing(
    carol: User, api: Callable[[User], APIClient], month: str, opening: int, closing: int
) -> None:
    answer = api(carol).get(URL + month).json()

    assert (answer["opening"], answer["closing"]) == (opening, closing)
    assert opening + sum(entry["amount"] for entry in answer["entries"]) == closing


def test_months_meet_without_a_gap_even_when_the_clock_was_set_back(carol: User) -> None:
    wallet = wallet_of(carol.pk)
    entered(wallet, 2, 10, 85)
    month, closing = datetime(2025, 1, 1, tzinfo=UTC), 0

    for _ in range(6):
        shown = statement(wallet=wallet, month=month)
        assert shown.opening == closing
        month, closing = month_after(month), shown.closing

    assert closing == 85


@pytest.mark.parametrize("months", [*permutations([1, 2, 3, 5])])
def test_each_entry_stands_in_one_month_in_whatever_order_the_clock_ran(
    db: None, months: tuple[int, ...]
) -> None:
    wallet = wallet_of(make_user("dora").pk)
    made = [entered(wallet, month, 10, 10 * place) for place, month in enumerate(months, start=1)]

    shown = [statement(wallet=wallet, month=datetime(2025, n, 1, tzinfo=UTC)) for n in range(1, 7)]

    assert [entry for month in shown for entry in month.entries.order_by("id")] == made
    assert [month.opening for month in shown] == [0, *(month.closing for month in shown[:-1])]
    assert shown[-1].closing == 40


def test_entries_in_order_stand_in_the_month_they_were_made(carol: User) -> None:
    wallet = wallet_of(carol.pk)

    january = statement(wallet=wallet, month=datetime(2025, 1, 1, tzinfo=UTC))

    assert {entry.created_at.month for entry in january.entries} == {1}
    assert january.totals == {"correction": -30, "grant": 100}


@pytest.mark.parametrize(
    "month",
    ["2025-13", "2025-00", "0000-01", "25-1x", "2025-1", "2025-001", "2025-+1", "٢٠٢٥-01"],
)
def test_an_impossible_month_is_not_found(
    carol: User, api: Callable[[User], APIClient], month: str
) -> None:
    answer = api(carol).get(URL + month)

    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"


def test_a_stranger_sees_only_their_own(
    carol: User, bob: User, api: Callable[[User], APIClient]
) -> None:
    assert api(bob).get(f"{URL}2025-01").json()["entries"] == []


def test_it_needs_a_token(db: None) -> None:
    assert APIClient().get(f"{URL}2025-01").status_code == 401


def test_the_csv_holds_every_entry_and_no_formula(
    carol: User, api: Callable[[User], APIClient]
) -> None:
    answer = api(carol).get(f"{URL}2025-01?format=csv")

    lines = answer.getvalue().decode().splitlines()
    assert answer["Content-Type"].startswith("text/csv")
    assert len(lines) == 3
    assert "'=1+1" in lines[1]


def test_its_queries_do_not_grow_with_the_rows(
    carol: User, api: Callable[[User], APIClient], django_assert_num_queries: Any
) -> None:
    client, wallet = api(carol), wallet_of(carol.pk)
    client.get(f"{URL}2025-03")

    # Two of them are the snapshot's transaction.
    with django_assert_num_queries(9) as few:
        client.get(f"{URL}2025-03")
    for extra in range(30):
        entered(wallet, 3, 1, 76 + extra)
    with django_assert_num_queries(len(few)):
        client.get(f"{URL}2025-03")


def test_the_queries_of_its_page_do_not_grow_with_the_rows(
    carol: User, page: Callable[[User], Client], django_assert_num_queries: Any
) -> None:
    client, wallet = page(carol), wallet_of(carol.pk)
    address = "/wallet/statements/2025-03"

    with CaptureQueriesContext(connection) as few:
        client.get(address)
    for extra in range(30):
        entered(wallet, 3, 1, 76 + extra)

    with django_assert_num_queries(len(few)):
        assert len(list(client.get(address).context["page"])) == 25


def test_the_page_shows_the_month_and_its_neighbours(
    carol: User, page: Callable[[User], Client], client: Client
) -> None:
    shown = page(carol).get("/wallet/statements/2025-01").content.decode()

    assert "70" in shown
    assert "/wallet/statements/2025-02" in shown
    assert client.get("/wallet/statements/2025-01").status_code == 302
