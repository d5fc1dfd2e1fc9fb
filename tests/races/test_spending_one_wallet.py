"""However many threads spend one wallet, it gives exactly what it holds."""

from collections import Counter
from collections.abc import Iterable
from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError

from billing import services as billing
from billing.errors import InsufficientCredits
from billing.models import Wallet
from billing.services import wallet_of
from ml_models.models import ModelVersion
from predictions import runner
from predictions.models import Prediction
from tests.conftest import make_prediction, make_user
from tests.races.threads import at_once, meeting, results

THREADS = 32
WORTH = 100
TRIES = 160


def test_a_wallet_worth_100_predictions_buys_exactly_100(published_version: ModelVersion) -> None:
    alice = make_user("alice", credits=WORTH * published_version.price)

    def spend() -> Counter[str]:
        return Counter(outcome_of_a_try() for _ in range(TRIES // THREADS))

    def outcome_of_a_try() -> str:
        try:
            return make_prediction(alice).status
        except InsufficientCredits as refusal:
            return refusal.code

    outcomes = sum(results(at_once([spend] * THREADS)), Counter[str]())

    assert outcomes == {"starting": WORTH, "insufficient_credits": TRIES - WORTH}
    wallet = wallet_of(alice.pk)
    assert (wallet.available, wallet.held) == (0, WORTH * published_version.price)


def test_100_accepted_predictions_cost_exactly_what_was_held(
    published_version: ModelVersion,
) -> None:
    alice = make_user("alice", credits=WORTH * published_version.price)
    ids = [make_prediction(alice).pk for _ in range(WORTH)]

    settled = results(at_once([partial(runner.run, ids[at::4]) for at in range(4)]))

    assert sum(settled) == WORTH
    assert Prediction.objects.filter(status="succeeded").count() == WORTH
    wallet = wallet_of(alice.pk)
    assert (wallet.balance, wallet.held) == (0, 0)


def test_without_the_lock_both_see_the_last_credit_and_only_the_constraint_refuses(
    published_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = make_user("alice", credits=published_version.price)
    both_have_looked = meeting(2)

    def look_without_locking(user_ids: Iterable[int], **how: Any) -> dict[int, Wallet]:
        wallets = Wallet.objects.select_related("user").filter(user_id__in=list(user_ids))
        seen = {wallet.user_id: wallet for wallet in wallets}
        both_have_looked()
        return seen

    monkeypatch.setattr(billing, "lock_payers", look_without_locking)
    answers = at_once([lambda: make_prediction(alice)] * 2)

    assert sorted(type(answer).__name__ for answer in answers) == ["IntegrityError", "Prediction"]
    refused = next(answer for answer in answers if isinstance(answer, IntegrityError))
    assert "wallet_held_within_balance" in str(refused)
    assert wallet_of(alice.pk).available == 0
