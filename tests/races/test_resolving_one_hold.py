"""A hold is resolved once and refunded once, whoever comes at the same moment.

In pairs: what is kept with the guard, and what is seen when it is dropped.
"""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db.models import F

from accounts.models import User
from billing import services as billing
from billing.adjustments import adjust, approve_adjustment
from billing.errors import AlreadyApplied
from billing.models import Hold, LedgerEntry, Wallet
from billing.services import Resolution, lock_wallets, place_hold, refund, resolve_holds, wallet_of
from ml_models.models import ModelVersion
from mlservice.lib.ids import new_id
from predictions import services
from predictions.models import Prediction
from predictions.reaping import expire_old
from predictions.runner import run
from predictions.services import Outcome, settle
from tests.conftest import make_prediction, make_user
from tests.races.threads import at_once, meeting, results

MANY = 8


def held(user: User, amount: int = 60) -> Hold:
    with transaction.atomic():
        wallet = billing.lock_wallet(wallet_id=wallet_of(user.pk).pk)
        return place_hold(wallet=wallet, amount=amount, reference=("test", "work"))


def resolve(hold: Hold, captured: int) -> None:
    with transaction.atomic():
        lock_wallets(hold_ids=[hold.pk])
        resolve_holds([Resolution(hold.pk, captured)])


def balance(user: User) -> tuple[int, int]:
    wallet = wallet_of(user.pk)
    return wallet.balance, wallet.held


def test_captures_and_releases_side_by_side_resolve_a_hold_once() -> None:
    alice = make_user("alice", credits=100)
    hold = held(alice)

    results(at_once([partial(resolve, hold, 60), partial(resolve, hold, 0)] * MANY))

    hold.refresh_from_db()
    assert balance(alice) == ((40, 0) if hold.status == "captured" else (100, 0))


def test_many_captures_charge_once() -> None:
    alice = make_user("alice", credits=100)
    hold = held(alice)

    results(at_once([partial(resolve, hold, 25)] * MANY))

    assert balance(alice) == (75, 0)
    assert LedgerEntry.objects.filter(kind="capture").count() == 1


def test_without_the_compare_and_set_a_second_capture_goes_as_far_as_the_constraint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alice = make_user("alice", credits=500)
    held_elsewhere = place_hold(
        wallet=wallet_of(alice.pk), amount=100, reference=("test", "another")
    )
    hold = held(alice)
    careless = billing.RESOLVE_HOLDS.replace("AND hold.status = 'held'", "")
    monkeypatch.setattr(billing, "RESOLVE_HOLDS", careless)

    answers = at_once([partial(resolve, hold, 25)] * 2)

    [refused] = [answer for answer in answers if isinstance(answer, Exception)]
    assert isinstance(refused, IntegrityError)
    assert "ledger_entry_applies_once" in str(refused)
    monkeypatch.undo()
    resolve(held_elsewhere, 0)


@pytest.mark.parametrize("attempt", range(5))
def test_a_capture_that_meets_an_expiry_ends_one_way(
    published_version: ModelVersion, attempt: int
) -> None:
    alice = make_user("alice", credits=10)
    prediction = make_prediction(alice)
    Prediction.objects.update(created_at=F("created_at") - timedelta(days=2))

    results(at_once([lambda: run([prediction.pk]), expire_old]))

    prediction.refresh_from_db()
    charged = {"succeeded": published_version.price, "failed": 0}[prediction.status]
    assert balance(alice) == (10 - charged, 0)


def test_without_the_compare_and_set_a_late_expiry_denies_what_was_charged(
    published_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = make_user("alice", credits=10)
    prediction = make_prediction(alice)
    looked_before = Outcome(prediction.pk, prediction.attempt, "failed", error_code="expired")
    run([prediction.pk])

    assert settle([looked_before], expected="starting") == 0
    guard = "prediction.status = %s AND prediction.attempt = outcome.attempt"
    monkeypatch.setattr(services, "FINISH", services.FINISH.replace(guard, "%s <> ''"))
    settle([looked_before], expected="starting")

    prediction.refresh_from_db()
    assert prediction.status == "failed"
    assert balance(alice) == (10 - published_version.price, 0)
    Prediction.objects.update(status="succeeded", cost=published_version.price)


def charged(user: User) -> Hold:
    hold = held(user)
    resolve(hold, 60)
    return hold


def give_back(hold: Hold, operator: User) -> LedgerEntry:
    return refund(hold_id=hold.pk, amount=60, reason="Twice clicked", actor_id=operator.pk)


def test_many_refunds_of_one_charge_give_it_back_once() -> None:
    alice, operator = make_user("alice", credits=100), make_user("operator", is_staff=True)
    hold = charged(alice)

    answers = at_once([partial(give_back, hold, operator)] * MANY)

    assert sum(isinstance(answer, LedgerEntry) for answer in answers) == 1
    assert sum(isinstance(answer, AlreadyApplied) for answer in answers) == MANY - 1
    assert balance(alice) == (100, 0)


def test_without_the_lock_both_refund_and_only_the_constraint_refuses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alice, operator = make_user("alice", credits=100), make_user("operator", is_staff=True)
    hold = charged(alice)
    both_have_looked = meeting(2)
    get = Hold.objects.get

    def look_and_meet(**wanted: Any) -> Hold:
        found = get(**wanted)
        both_have_looked()
        return found

    monkeypatch.setattr(
        billing, "lock_wallet", lambda *, wallet_id: Wallet.objects.get(pk=wallet_id)
    )
    monkeypatch.setattr(Hold.objects, "get", look_and_meet)
    answers = at_once([partial(give_back, hold, operator)] * 2)

    assert sorted(type(answer).__name__ for answer in answers) == [
        "IntegrityError",
        "LedgerEntry",
    ]


def test_two_operators_who_approve_at_once_carry_it_out_once(settings: Any) -> None:
    settings.ADJUSTMENT_ALONE_CREDITS = 10
    alice, first = make_user("alice", credits=100), make_user("first", is_staff=True)
    others = [make_user(f"other{number}", is_staff=True) for number in range(4)]
    waiting = adjust(
        kind="grant",
        wallet_id=wallet_of(alice.pk).pk,
        amount=50,
        reason="A gift",
        actor_id=first.pk,
        adjustment_id=new_id(),
    )
    assert waiting is not None

    answers = at_once(
        [
            partial(approve_adjustment, adjustment_id=waiting.pk, actor_id=other.pk)
            for other in others
        ]
    )

    assert sum(answer is None for answer in answers) == 1
    assert sum(isinstance(answer, AlreadyApplied) for answer in answers) == 3
    assert balance(alice) == (150, 0)
