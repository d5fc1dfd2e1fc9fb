"""A top-up credits its wallet once, through a provider that is enabled."""

from functools import partial
from typing import Any

import pytest

from accounts.models import User
from billing.errors import (
    InvalidAmount,
    ProviderUnknown,
    TooManyPendingTopUps,
    TopUpAlreadyResolved,
)
from billing.models import LedgerEntry, TopUp, Wallet
from billing.services import open_wallet, pay_top_up, reject_top_up, wallet_of
from billing.top_ups import expire_top_ups, start_top_up
from mlservice.lib.idempotency import IdempotencyKey
from mlservice.lib.mail.models import Letter
from tests.conftest import make_user


def make_pending(user: User, **fields: Any) -> TopUp:
    return start_top_up(wallet=wallet_of(user.pk), amount=50, provider="manual", **fields)


reject = partial(reject_top_up, note="No transfer came")


def test_the_demo_provider_pays_at_once(bob: User) -> None:
    top_up = start_top_up(wallet=wallet_of(bob.pk), amount=50, provider="demo")

    assert top_up.status == TopUp.Status.PAID
    assert wallet_of(bob.pk).balance == 1_050


def test_the_manual_provider_waits_for_an_operator(bob: User, staff: User) -> None:
    top_up = start_top_up(wallet=wallet_of(bob.pk), amount=50, provider="manual")

    assert (top_up.status, wallet_of(bob.pk).balance) == (TopUp.Status.PENDING, 1_000)

    pay_top_up(top_up_id=top_up.pk, note="Bank transfer 17", actor_id=staff.pk)

    entry = LedgerEntry.objects.latest("pk")
    assert (entry.amount, entry.actor_id, entry.reason) == (50, staff.pk, "Bank transfer 17")
    assert entry.reference == {"type": "top_up", "id": str(top_up.pk)}
    assert wallet_of(bob.pk).balance == 1_050


def test_a_top_up_is_paid_once(bob: User, staff: User) -> None:
    top_up = start_top_up(wallet=wallet_of(bob.pk), amount=50, provider="manual")
    pay_top_up(top_up_id=top_up.pk, actor_id=staff.pk)

    with pytest.raises(TopUpAlreadyResolved):
        pay_top_up(top_up_id=top_up.pk, actor_id=staff.pk)

    assert wallet_of(bob.pk).balance == 1_050


def test_a_rejected_top_up_credits_nothing_and_stays_rejected(bob: User, staff: User) -> None:
    top_up = start_top_up(wallet=wallet_of(bob.pk), amount=50, provider="manual")
    rejected = reject_top_up(top_up_id=top_up.pk, note="No transfer came", actor_id=staff.pk)

    with pytest.raises(TopUpAlreadyResolved):
        pay_top_up(top_up_id=top_up.pk, actor_id=staff.pk)

    assert (rejected.status, rejected.note) == (TopUp.Status.FAILED, "No transfer came")
    assert wallet_of(bob.pk).balance == 1_000


@pytest.mark.parametrize("amount", [0, -1, 1_000_001, 2**63, 10**30])
def test_an_amount_outside_the_limits_is_refused(bob: User, amount: int) -> None:
    with pytest.raises(InvalidAmount, match="1 to 1000000 credits"):
        start_top_up(wallet=wallet_of(bob.pk), amount=amount)

    assert TopUp.objects.filter(wallet__user=bob).count() == 1


def test_a_provider_that_is_not_enabled_is_refused(bob: User) -> None:
    with pytest.raises(ProviderUnknown, match="demo, manual"):
        start_top_up(wallet=wallet_of(bob.pk), amount=5, provider="stripe")


def test_one_pending_top_up_too_many_is_refused_and_leaves_nothing(
    bob: User, staff: User, settings: Any
) -> None:
    settings.MAX_PENDING_TOP_UPS = 2
    for _ in range(2):
        make_pending(bob)
    letters = Letter.objects.count()

    with pytest.raises(TooManyPendingTopUps, match="2 top-ups of this wallet are pending"):
        make_pending(bob)

    assert TopUp.objects.filter(wallet__user=bob, status="pending").count() == 2
    assert Letter.objects.count() == letters == 2


def test_a_top_up_that_ended_makes_room_for_another(alice: User, bob: User, settings: Any) -> None:
    settings.MAX_PENDING_TOP_UPS = 1
    make_pending(alice)
    for end in (reject, pay_top_up):
        end(top_up_id=make_pending(bob).pk)
    make_pending(bob)
    TopUp.objects.update(expires_at="2020-01-01T00:00:00Z")
    expire_top_ups()

    assert make_pending(bob).status == TopUp.Status.PENDING


def test_a_repeated_request_finds_its_top_up_while_too_many_are_pending(
    bob: User, settings: Any
) -> None:
    settings.MAX_PENDING_TOP_UPS = 1
    key = IdempotencyKey(value="one", fingerprint="same")

    first, again = make_pending(bob, key=key), make_pending(bob, key=key)

    assert (again.pk, again.is_replayed) == (first.pk, True)


def test_a_wallet_opens_once_with_the_sign_up_grant(settings, db: None) -> None:
    settings.SIGNUP_CREDITS = 25

    user = make_user("carol")
    open_wallet(user_id=user.pk)

    assert Wallet.objects.get(user=user).balance == 25
    entry = LedgerEntry.objects.get(wallet__user=user)
    assert (entry.kind, entry.amount, entry.balance_after) == ("grant", 25, 25)


def test_a_user_without_a_wallet_gets_one_when_it_is_asked_for(db: None) -> None:
    superuser = User.objects.create_superuser("root", "root@example.com", "pw")

    assert wallet_of(superuser.pk).balance == 0
