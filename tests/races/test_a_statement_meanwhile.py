"""A statement is of one moment: what is committed while it is made is in all of it or in none."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import User
from billing.models import Wallet
from billing.selectors import month_start
from billing.services import grant, wallet_of
from billing.statements import as_csv, statement
from mlservice.lib.ids import new_id
from tests.conftest import make_user

MONTH = f"{datetime.now(UTC):%Y-%m}"


@pytest.fixture
def carol() -> User:
    return make_user("carol", credits=100)


@contextmanager
def granting_before_each_query_of_the_ledger(wallet: Wallet, staff: User) -> Iterator[list[int]]:
    """Commit a grant of 1 from another connection before whatever reads the ledger here."""
    made: list[int] = []
    numbers = count(1)

    def give() -> None:
        try:
            grant(
                wallet_id=wallet.pk,
                amount=1,
                reason=f"Number {next(numbers)}",
                actor_id=staff.pk,
                adjustment_id=new_id(),
            )
        finally:
            connection.close()

    def meanwhile(execute: Any, sql: str, *rest: Any) -> Any:
        if "billing_ledgerentry" in sql:
            with ThreadPoolExecutor(1) as pool:
                pool.submit(give).result()
            made.append(1)
        return execute(sql, *rest)

    with connection.execute_wrapper(meanwhile):
        yield made


def test_a_month_that_begins_meanwhile_is_not_half_in_the_statement(
    carol: User, staff: User
) -> None:
    wallet = wallet_of(carol.pk)
    next_month = datetime(9999, 12, 1, tzinfo=UTC)

    with granting_before_each_query_of_the_ledger(wallet, staff) as made:
        shown = statement(wallet=wallet, month=next_month)

    # The first grant came before the first look and so before the snapshot's moment.
    assert len(made) >= 2
    assert (shown.opening, shown.closing) == (101, 101)


def test_what_is_listed_is_what_was_added_up(carol: User, staff: User) -> None:
    wallet = wallet_of(carol.pk)

    with granting_before_each_query_of_the_ledger(wallet, staff) as made:
        shown = statement(wallet=wallet, month=month_start())
        listed = [entry.amount for entry in shown.entries]
        lines = list(as_csv(shown))

    assert len(made) >= 4
    assert shown.opening + sum(listed) == shown.closing == 101
    assert len(lines) - 1 == len(listed) == 2


def test_the_page_and_the_api_agree_with_themselves(
    carol: User, staff: User, page: Any, api: Any
) -> None:
    wallet = wallet_of(carol.pk)
    reader: Client = page(carol)
    program: APIClient = api(carol)

    with granting_before_each_query_of_the_ledger(wallet, staff):
        shown = reader.get(f"/wallet/statements/{MONTH}").context
        told = program.get(f"/api/v1/wallet/statements/{MONTH}").json()

    rows = [entry.amount for entry in shown["page"]]
    assert shown["statement"].opening + sum(rows) == shown["statement"].closing
    amounts = [entry["amount"] for entry in told["entries"]]
    assert told["opening"] + sum(amounts) == told["closing"]


def test_without_the_snapshot_what_comes_meanwhile_is_half_in_it(
    carol: User, staff: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    wallet = wallet_of(carol.pk)
    monkeypatch.setattr("billing.statements.one_snapshot", nullcontext)

    with granting_before_each_query_of_the_ledger(wallet, staff):
        shown = statement(wallet=wallet, month=datetime(9999, 12, 1, tzinfo=UTC))

    assert shown.opening > 101
