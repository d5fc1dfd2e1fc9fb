"""Fifty requests with one key make one prediction, one hold and one answer."""

from collections.abc import Callable
from functools import partial

import pytest
from django.db import IntegrityError, transaction

from accounts.models import User
from billing.models import Hold, PaymentReversal, TopUp
from billing.services import lock_wallet, pay_top_up, record_reversal, wallet_of
from billing.top_ups import start_top_up
from ml_models.models import ModelVersion
from mlservice.lib.idempotency import IdempotencyInFlight, IdempotencyKey
from predictions import submitting
from predictions.models import Prediction
from tests.conftest import make_prediction, make_user
from tests.races.threads import at_once, meeting, results

KEY = IdempotencyKey("order-1", "0" * 64)


def test_fifty_requests_with_one_key_make_one_prediction(published_version: ModelVersion) -> None:
    alice = make_user("alice", credits=1_000)

    made = results(at_once([lambda: make_prediction(alice, key=KEY).pk] * 50))

    assert len(set(made)) == 1
    assert (Prediction.objects.count(), Hold.objects.count()) == (1, 1)
    assert wallet_of(alice.pk).held == published_version.price


def test_without_the_second_look_both_insert_and_only_the_constraint_refuses(
    published_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = make_user("alice", credits=1_000)
    monkeypatch.setattr(submitting, "replayed_predictions", lambda orders: {})

    answers = at_once([lambda: make_prediction(alice, key=KEY)] * 2)

    assert sorted(type(answer).__name__ for answer in answers) == ["IntegrityError", "Prediction"]
    refused = next(answer for answer in answers if isinstance(answer, IntegrityError))
    assert "prediction_once_for_its_key" in str(refused)


def test_whoever_waits_longer_than_two_seconds_is_told_so(
    published_version: ModelVersion,
) -> None:
    alice = make_user("alice", credits=1_000)
    locked, answered = meeting(2), meeting(2)

    def hold_the_wallet() -> str:
        with transaction.atomic():
            lock_wallet(wallet_id=wallet_of(alice.pk).pk)
            locked()
            answered()
        return ""

    def ask() -> str:
        locked()
        try:
            return make_prediction(alice, key=KEY).status
        except IdempotencyInFlight as refusal:
            return refusal.code
        finally:
            answered()

    _, answer = results(at_once([hold_the_wallet, ask]))

    assert answer == "idempotency_in_flight"
    assert not Prediction.objects.exists()
    make_prediction(alice, key=KEY)
    assert Prediction.objects.count() == 1


def test_one_top_up_for_one_key() -> None:
    alice = make_user("alice")
    buy = partial(start_top_up, wallet=wallet_of(alice.pk), amount=10, provider="demo", key=KEY)

    made = results(at_once([lambda: buy().pk] * 32))

    assert len(set(made)) == 1
    assert wallet_of(alice.pk).balance == 10


def card_top_up(user: User) -> TopUp:
    return start_top_up(wallet=wallet_of(user.pk), amount=10, provider="manual")


def test_32_deliveries_of_one_payment_credit_once() -> None:
    alice = make_user("alice")
    top_up = card_top_up(alice)

    answers = at_once([partial(pay_top_up, top_up_id=top_up.pk, payment_id="pay_1")] * 32)

    assert sum(isinstance(answer, TopUp) for answer in answers) == 1
    assert wallet_of(alice.pk).balance == 10


def test_32_deliveries_of_one_reversal_take_once() -> None:
    alice = make_user("alice")
    pay_top_up(top_up_id=card_top_up(alice).pk, payment_id="pay_1")
    take = partial(
        record_reversal,
        provider="manual",
        payment_id="pay_1",
        external_id="re_1",
        cents=4,
        is_active=True,
    )

    results(at_once([take] * 32))

    assert wallet_of(alice.pk).balance == 6
    assert PaymentReversal.objects.count() == 1


def test_a_payment_and_its_reversal_at_once_see_each_other() -> None:
    alice = make_user("alice")
    for number in range(20):
        top_up, payment = card_top_up(alice), f"pay_{number}"
        pay = partial(pay_top_up, top_up_id=top_up.pk, payment_id=payment)
        take = partial(
            record_reversal,
            provider="manual",
            payment_id=payment,
            external_id=f"re_{number}",
            cents=10,
            is_active=True,
        )
        both: list[Callable[[], object]] = [pay, take]
        results(at_once(both))

    assert wallet_of(alice.pk).balance == 0
