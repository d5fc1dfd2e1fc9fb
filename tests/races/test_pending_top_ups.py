"""However many requests begin top-ups at once, a wallet has no more pending than it may have."""

from typing import Any

import pytest

from accounts.models import User
from billing import top_ups
from billing.errors import TooManyPendingTopUps
from billing.models import TopUp, Wallet
from billing.services import wallet_of
from billing.top_ups import start_top_up
from mlservice.lib.mail.models import Letter
from tests.conftest import make_user
from tests.races.threads import at_once, meeting


@pytest.fixture
def alice(settings: Any) -> User:
    settings.MAX_PENDING_TOP_UPS = 3
    make_user("operator", is_staff=True, is_superuser=True)
    return make_user("alice")


def begin(user: User) -> TopUp:
    return start_top_up(wallet=wallet_of(user.pk), amount=10, provider="manual")


def test_sixteen_requests_leave_three_pending_and_three_letters(alice: User) -> None:
    answers = at_once([lambda: begin(alice)] * 16)

    assert sum(isinstance(answer, TopUp) for answer in answers) == 3
    assert sum(isinstance(answer, TooManyPendingTopUps) for answer in answers) == 13
    assert (TopUp.objects.count(), Letter.objects.count()) == (3, 3)


def test_without_the_lock_both_find_room_for_the_last(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(alice), begin(alice)
    both_have_counted = meeting(2)
    count = top_ups.check_pending

    def count_and_wait(wallet: Wallet) -> None:
        count(wallet)
        both_have_counted()

    def unlocked(*, wallet_id: int) -> Wallet:
        return Wallet.objects.get(pk=wallet_id)

    monkeypatch.setattr(top_ups, "lock_wallet", unlocked)
    monkeypatch.setattr(top_ups, "check_pending", count_and_wait)
    at_once([lambda: begin(alice)] * 2)

    assert TopUp.objects.count() == 4
