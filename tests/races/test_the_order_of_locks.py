"""Locks are taken in one order: wallets by id, then predictions; payments meet their reversals."""

from collections.abc import Callable
from functools import partial
from threading import Event

from django.db import OperationalError, connection, transaction
from django.db.models.expressions import RawSQL

from billing.models import Wallet
from billing.services import (
    lock_payers,
    lock_wallet,
    lock_wallets,
    pay_top_up,
    place_hold,
    record_reversal,
    wallet_of,
)
from billing.top_ups import start_top_up
from ml_models.models import ModelVersion
from predictions.models import Prediction
from predictions.services import Outcome, claim, settle
from tests.conftest import make_prediction, make_user
from tests.races.threads import at_once, results

WAIT_SECONDS = 30


def until_somebody_waits(done: Event) -> None:
    """Return when a query waits for a lock, or when `done` is set: it waits for none."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    for _ in range(WAIT_SECONDS * 50):
        with connection.cursor() as cursor:
            cursor.execute(waiting)
            if cursor.fetchone()[0] or done.wait(0.02):
                return
    raise TimeoutError("Nobody came to wait.")


def while_locked(
    lock: Callable[[], object], other: Callable[[], object], look: Callable[[], bool]
) -> bool:
    """Hold what `lock` locks, let the other come to wait for it, and give what `look` sees."""
    locked, done = Event(), Event()

    def hold() -> bool:
        with transaction.atomic():
            lock()
            locked.set()
            until_somebody_waits(done)
            return look()

    def come() -> bool:
        locked.wait(WAIT_SECONDS)
        try:
            other()
        finally:
            done.set()
        return True

    seen, _ = results(at_once([hold, come]))
    return seen


def is_free(rows) -> bool:
    try:
        with transaction.atomic():
            return bool(list(rows.select_for_update(nowait=True)))
    except OperationalError:
        return False


def is_second_free_while_first_is_locked(
    first: Wallet, second: Wallet, lock_both: Callable[[], object]
) -> bool:
    # The table's own order is now the other one, and the planner is left no other way to read it.
    Wallet.objects.filter(pk=first.pk).update(spending_cap=50)

    def lock_as_the_table_lies() -> None:
        with transaction.atomic():
            with connection.cursor() as cursor:
                for way in ("nestloop", "mergejoin", "indexscan", "bitmapscan"):
                    cursor.execute(f"SET LOCAL enable_{way} = off")
            lock_both()

    return while_locked(
        partial(lock_wallet, wallet_id=first.pk),
        lock_as_the_table_lies,
        lambda: is_free(Wallet.objects.filter(pk=second.pk)),
    )


def test_wallets_are_locked_from_the_lowest_id() -> None:
    first, second = (wallet_of(make_user(name, credits=9).pk) for name in ("alice", "bob"))
    names = [
        place_hold(wallet=wallet, amount=1, reference=("test", str(wallet.pk))).reference_id
        for wallet in (first, second)
    ]

    assert is_second_free_while_first_is_locked(
        first, second, partial(lock_wallets, reference_type="test", reference_ids=names)
    )


def test_payers_are_locked_from_the_lowest_id() -> None:
    first, second = (wallet_of(make_user(name, credits=9).pk) for name in ("alice", "bob"))

    assert is_second_free_while_first_is_locked(
        first, second, partial(lock_payers, [second.user_id, first.user_id])
    )


def test_a_settlement_waits_for_the_wallet_before_it_touches_the_prediction(
    published_version: ModelVersion,
) -> None:
    alice = make_user("alice", credits=9)
    [mine] = claim([make_prediction(alice).pk])
    done = Outcome(mine.id, mine.attempt, "succeeded", cost=mine.price, output="[]")

    is_prediction_free = while_locked(
        partial(lock_wallet, wallet_id=wallet_of(alice.pk).pk),
        partial(settle, [done]),
        lambda: is_free(Prediction.objects.filter(pk=mine.id)),
    )

    assert is_prediction_free


def test_a_deadline_that_passes_while_a_settlement_waits_is_kept(
    published_version: ModelVersion,
) -> None:
    alice = make_user("alice", credits=9)
    [mine] = claim([make_prediction(alice, cancel_after_seconds=60).pk])
    done = Outcome(mine.id, mine.attempt, "succeeded", cost=mine.price, output="[]")
    stored = Prediction.objects.filter(pk=mine.id)

    # It is over once the settlement waits, and before it goes on.
    while_locked(
        partial(lock_wallet, wallet_id=wallet_of(alice.pk).pk),
        partial(settle, [done]),
        lambda: bool(stored.update(deadline=RawSQL("clock_timestamp()", []))),
    )

    assert stored.values_list("status", "cost").get() == ("canceled", 0)
    assert (wallet_of(alice.pk).balance, wallet_of(alice.pk).held) == (9, 0)


def test_a_payment_waits_for_a_reversal_under_way_and_sees_it() -> None:
    alice = make_user("alice")
    top_up = start_top_up(wallet=wallet_of(alice.pk), amount=10, provider="manual")
    reverse = partial(
        record_reversal,
        provider="manual",
        payment_id="pay_1",
        external_id="re_1",
        cents=10,
        is_active=True,
    )

    while_locked(
        reverse, partial(pay_top_up, top_up_id=top_up.pk, payment_id="pay_1"), lambda: True
    )

    assert wallet_of(alice.pk).balance == 0
