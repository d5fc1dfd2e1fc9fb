"""What the benchmark fills in is a ledger like any other: the audit finds nothing wrong with it."""

import pytest

from accounts.models import User
from benchmarks.books import Clock, reads
from benchmarks.ledger import fill
from billing.models import LedgerEntry
from billing.services import wallet_of
from mlservice.audit import run_checks


@pytest.fixture
def owner(db: None) -> User:
    return fill(rows=4_000, hot=1_500, wallets=5)


def test_it_agrees_with_holds_predictions_and_top_ups(owner: User) -> None:
    assert {rule: count for rule, count in run_checks().items() if count} == {}


def test_it_has_every_kind_of_entry_and_one_busy_wallet(owner: User) -> None:
    kinds = LedgerEntry.objects.values_list("kind", flat=True).distinct().order_by("kind")

    assert list(kinds) == sorted(LedgerEntry.Kind)
    assert (LedgerEntry.objects.count(), wallet_of(owner.pk).entries.count()) == (4_000, 1_500)


def test_everything_that_is_measured_can_be_read(owner: User) -> None:
    names = [name for name, get in reads(owner) if get() is None]

    assert len(names) >= 10


def test_the_clock_counts_queries_and_their_time() -> None:
    clock = Clock()

    answers = [clock(lambda *query: query, "SELECT", number) for number in range(3)]

    assert answers == [("SELECT", 0), ("SELECT", 1), ("SELECT", 2)]
    assert clock.queries == 3
    assert clock.seconds > 0
