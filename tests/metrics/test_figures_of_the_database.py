"""Figures of the database come from the rows, read no history, and fail one group at a time."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from accounts.models import User
from billing.models import Wallet
from billing.services import wallet_of
from ml_models.models import ModelVersion
from mlservice.lib.metrics.exposing import registry_of
from mlservice.metrics import database
from mlservice.metrics.database import Readings
from mlservice.metrics.reading import READERS
from tests.conftest import make_prediction

pytestmark = pytest.mark.django_db

GROWING = ("predictions_prediction", "billing_hold", "billing_ledgerentry", "billing_topup")
# Those of what is finished grow with it.
OF_WHAT_IS_OPEN = {
    *("prediction_to_publish", "prediction_published", "prediction_leased"),
    *("hold_open_by_wallet", "top_up_to_expire"),
}


def shown(readers: Any = READERS) -> dict[tuple[str, ...], float]:
    """Return each figure under its name and the values of its labels."""
    text = generate_latest(registry_of(Readings(readers))).decode()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_what_waits_and_is_held_is_shown(alice: User, published_version: ModelVersion) -> None:
    for _ in range(3):
        make_prediction(alice)

    figures = shown()

    assert figures["mlservice_queue_waiting", "predictions"] == 3
    assert figures["mlservice_queue_unpublished", "predictions"] == 3
    assert figures["mlservice_queue_waiting", "bulk"] == 0
    assert 0 <= figures["mlservice_queue_oldest_unpublished_seconds", "predictions"] < 60
    assert figures["mlservice_holds_open",] == 3
    assert figures["mlservice_wallets_held_credits",] == 3 * published_version.price
    assert figures["mlservice_wallets_balance_credits",] == 1_000
    assert figures["mlservice_held_difference_credits",] == 0
    assert figures["mlservice_model_serving_version", "linear-regression"] == 1
    assert figures["mlservice_worker_children", "predictions"] == 0
    assert {figures["mlservice_collector_up", name] for name in READERS} == {1}


def test_credits_that_no_hold_reserves_are_seen_at_once(alice: User) -> None:
    Wallet.objects.filter(pk=wallet_of(alice.pk).pk).update(held=7)

    assert shown()["mlservice_held_difference_credits",] == 7


def test_no_figure_reads_the_history(alice: User, published_version: ModelVersion) -> None:
    with CaptureQueriesContext(
        connection,
    ) as asked:
        shown()
    statements = [
        one["sql"] for one in asked if any(f"FROM {table}" in one["sql"] for table in GROWING)
    ]

    used = set()
    with connection.cursor() as cursor:
        # The tables are empty here; so the planner says which index it would take if it could.
        cursor.execute("SET LOCAL enable_seqscan = off")
        for statement in statements:
            cursor.execute(f"EXPLAIN {statement}")
            plan = "\n".join(row[0] for row in cursor.fetchall())
            read = re.findall(r"Seq Scan on (\w+)", plan)
            assert not set(read) & set(GROWING), plan
            used |= set(re.findall(r"Index(?: Only)? Scan (?:using|on) (\w+)", plan))

    assert len(statements) >= 5
    assert used & OF_WHAT_IS_OPEN == OF_WHAT_IS_OPEN
    assert not {name for name in used - OF_WHAT_IS_OPEN if name.startswith(GROWING)}


def fails() -> Any:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 / 0")
    yield


def test_a_group_that_cannot_be_read_takes_no_other_along(alice: User) -> None:
    figures = shown({**READERS, "letters": fails})

    assert figures["mlservice_collector_up", "letters"] == 0
    assert figures["mlservice_collector_up", "money"] == 1
    assert figures["mlservice_wallets",] == 1
    assert ("mlservice_letters_due",) not in figures


def test_a_group_that_takes_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def sleeps() -> Any:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(5)")
        yield

    monkeypatch.setattr(database, "MOST_MILLISECONDS", 50)

    figures = shown({"database": READERS["database"], "slow": sleeps})

    assert figures["mlservice_collector_up", "slow"] == 0
    assert figures["mlservice_collector_up", "database"] == 1


@contextmanager
def locked(*tables: str) -> Iterator[None]:
    """Hold tables as a migration does, from a connection of its own."""
    theirs = psycopg2.connect(**connection.get_connection_params())
    try:
        with theirs.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {', '.join(tables)} IN ACCESS EXCLUSIVE MODE")
        yield
    finally:
        theirs.close()


def test_a_table_that_is_locked_blinds_those_alone_who_read_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(database, "MOST_MILLISECONDS", 300)

    with locked("mail_letter"):
        figures = shown()

    missing = {name for name in READERS if not figures["mlservice_collector_up", name]}
    assert missing == {"letters"}


def test_many_slow_groups_cost_a_scrape_no_more_than_all_may_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(database, "MOST_MILLISECONDS", 300)
    monkeypatch.setattr(database, "MOST_SECONDS", 0.5)
    slow = {f"slow_{number}": READERS["letters"] for number in range(20)}

    with locked("mail_letter"):
        began = time.monotonic()
        figures = shown({"database": READERS["database"], **slow, "audit": READERS["audit"]})
        took = time.monotonic() - began

    assert took < 3
    assert figures["mlservice_collector_up", "database"] == 1
    # It could have been read, and came too late.
    assert figures["mlservice_collector_up", "audit"] == 0


def test_a_group_of_many_statements_ends_as_one_of_few(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def dawdles() -> Any:
        with connection.cursor() as cursor:
            for number in range(20):
                cursor.execute("SELECT pg_sleep(0.1)")
                asked.append(number)
        yield

    monkeypatch.setattr(database, "MOST_MILLISECONDS", 300)

    figures = shown({"database": READERS["database"], "dawdles": dawdles})

    assert figures["mlservice_collector_up", "dawdles"] == 0
    assert len(asked) <= 3


def test_without_a_database_nothing_else_is_tried() -> None:
    tried: list[str] = []

    def away() -> Any:
        raise OperationalError

    def other() -> Any:
        tried.append("other")
        yield from ()

    figures = shown({"database": away, "other": other})

    assert (figures["mlservice_collector_up", "database"], tried) == (0, [])
    assert figures["mlservice_collector_up", "other"] == 0


@pytest.mark.parametrize("name", READERS)
def test_each_group_costs_a_few_statements_however_much_there_is(
    name: str,
    alice: User,
    published_version: ModelVersion,
    django_assert_max_num_queries: Callable[[int], Any],
) -> None:
    for _ in range(5):
        make_prediction(alice)

    with django_assert_max_num_queries(12):
        assert list(READERS[name]())
