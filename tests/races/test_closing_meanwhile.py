"""An account that is closed while its client goes on: one of both happens, never half of each."""

from collections.abc import Callable
from functools import partial

import pytest

from accounts import closing
from accounts.closing import close_account
from accounts.models import User
from billing.errors import BalanceChanged, OwnerDisabled, WorkUnderWay
from billing.models import Wallet
from billing.services import wallet_of
from billing.top_ups import start_top_up
from ml_models.models import ModelVersion
from predictions.errors import AccountDisabled
from predictions.models import Prediction
from tests.conftest import make_prediction, make_user
from tests.races.threads import at_once, meeting

ROUNDS = 12
CREDITS = 100


def closing_of(user: User) -> Callable[[], None]:
    return partial(close_account, user_id=user.pk, credits_lost=CREDITS)


def both(first: Callable[[], object], second: Callable[[], object]) -> list[object]:
    """Make both calls at one moment; give what each returned or raised."""
    return [*at_once([first, second])]


def is_active(user: User) -> bool:
    return User.objects.get(pk=user.pk).is_active


def test_a_prediction_is_accepted_or_the_account_is_closed(
    published_version: ModelVersion,
) -> None:
    for number in range(ROUNDS):
        alice = make_user(f"alice{number}", credits=CREDITS)

        answers = both(partial(make_prediction, alice), closing_of(alice))

        accepted = Prediction.objects.filter(user=alice).exists()
        wallet = wallet_of(alice.pk)
        if accepted:
            assert isinstance(answers[1], WorkUnderWay)
            assert (wallet.balance, wallet.held) == (CREDITS, published_version.price)
        else:
            assert isinstance(answers[0], AccountDisabled)
            assert (wallet.balance, wallet.held) == (0, 0)
        assert is_active(alice) == accepted


def test_a_top_up_is_paid_or_the_account_is_closed() -> None:
    for number in range(ROUNDS):
        alice = make_user(f"alice{number}", credits=CREDITS)
        wallet = wallet_of(alice.pk)

        answers = both(
            partial(start_top_up, wallet=wallet, amount=5, provider="demo"), closing_of(alice)
        )

        if is_active(alice):
            assert isinstance(answers[1], BalanceChanged)
            assert wallet_of(alice.pk).balance == CREDITS + 5
        else:
            assert isinstance(answers[0], OwnerDisabled)
            assert wallet_of(alice.pk).balance == 0


def test_closing_twice_at_once_removes_the_credits_once() -> None:
    alice = make_user("alice", credits=CREDITS)

    answers = at_once([closing_of(alice)] * 4)

    assert sum(answer is None for answer in answers) == 1
    assert wallet_of(alice.pk).entries.count() == 2


def test_without_the_lock_work_is_accepted_for_somebody_who_has_left(
    published_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: the closing looks at a wallet that it has not locked."""
    alice = make_user("alice", credits=CREDITS)
    both_are_there = meeting(2)

    def look_without_locking(*, wallet_id: int, credits_lost: int, actor_id: int) -> None:
        assert Wallet.objects.get(pk=wallet_id).held == 0
        both_are_there()
        # Until the other has committed.
        both_are_there()

    def predict() -> None:
        both_are_there()
        make_prediction(alice)
        both_are_there()

    monkeypatch.setattr(closing, "close_wallet", look_without_locking)

    both(predict, closing_of(alice))

    assert not is_active(alice)
    assert wallet_of(alice.pk).held == published_version.price
