"""What each step locks, and in which order; that it suffices is shown by the races."""

from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from billing.models import Hold, TopUp
from billing.services import (
    lock_wallet,
    lock_wallets,
    pay_top_up,
    place_hold,
    record_reversal,
    wallet_of,
)
from billing.top_ups import start_top_up


def hold(user: User, name: str) -> Hold:
    return place_hold(wallet=wallet_of(user.pk), amount=1, reference=("test", name))


def advisory_locks() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
        )
        return int(cursor.fetchone()[0])


def test_a_wallet_is_locked_alone_and_read_as_it_is_now(alice: User) -> None:
    wallet_id = wallet_of(alice.pk).pk

    with transaction.atomic(), CaptureQueriesContext(connection) as asked:
        locked = lock_wallet(wallet_id=wallet_id)

    assert locked.balance == 1_000
    [query] = asked.captured_queries
    assert query["sql"].endswith('FOR UPDATE OF "billing_wallet"')


def test_wallets_are_locked_in_the_order_of_their_ids(
    alice: User, bob: User, settings: Any
) -> None:
    # A statement that was prepared is asked for by its name.
    settings.DATABASE_PREPARES = False
    held = [hold(bob, "b"), hold(alice, "a"), hold(bob, "c")]
    ids = [one.reference_id for one in held]

    with CaptureQueriesContext(connection) as asked, transaction.atomic():
        lock_wallets(reference_type="test", reference_ids=ids)

    [sql] = [query["sql"] for query in asked.captured_queries if "FOR UPDATE" in query["sql"]]
    assert sql.strip().startswith("SELECT id FROM billing_wallet\n")
    assert sql.strip().endswith("ORDER BY id FOR UPDATE")
    assert f"ARRAY{ids}".replace(" ", "") in sql


@pytest.fixture
def waiting(alice: User) -> TopUp:
    return start_top_up(wallet=wallet_of(alice.pk), amount=5, provider="manual")


def test_a_payment_and_its_reversal_take_the_same_lock(waiting: TopUp) -> None:
    assert advisory_locks() == 0

    pay_top_up(top_up_id=waiting.pk, payment_id="pay_1")
    after_payment = advisory_locks()
    record_reversal(
        provider="manual", payment_id="pay_1", external_id="re_1", cents=1, is_active=True
    )

    assert (after_payment, advisory_locks()) == (1, 1)


def test_a_reversal_takes_the_lock_of_a_payment_that_is_still_to_come(db: None) -> None:
    record_reversal(
        provider="manual", payment_id="pay_1", external_id="re_1", cents=1, is_active=True
    )

    assert advisory_locks() == 1


def test_a_payment_without_a_name_takes_none(waiting: TopUp) -> None:
    pay_top_up(top_up_id=waiting.pk)

    assert advisory_locks() == 0
