"""A month's cap: what is charged and what is held count, refusals change nothing."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.test import Client

from accounts.models import User
from billing.errors import InvalidAmount, SpendingCapReached
from billing.models import Hold, LedgerEntry, Wallet
from billing.selectors import committed_this_month, month_start, spendable
from billing.services import (
    Resolution,
    correct,
    place_hold,
    refund,
    resolve_holds,
    set_spending_cap,
    wallet_of,
)
from mlservice.lib.ids import new_id
from tests.conftest import make_user


def held(user: User, amount: int, name: str) -> Hold:
    return place_hold(wallet=wallet_of(user.pk), amount=amount, reference=("prediction", name))


def moved(wallet: Wallet, kind: str, amount: int, created_at: datetime) -> None:
    """Write an entry of its time, and the balance that it leaves."""
    wallet.balance += amount
    wallet.save(update_fields=["balance"])
    LedgerEntry.objects.create(
        wallet=wallet,
        kind=kind,
        amount=amount,
        balance_after=wallet.balance,
        reference_type="prediction",
        reference_id=f"{kind} of {created_at}",
        created_at=created_at,
    )


def test_holds_and_charges_count_towards_the_cap(alice: User) -> None:
    set_spending_cap(wallet_id=wallet_of(alice.pk).pk, cap=100)
    first = held(alice, 60, "a")
    resolve_holds([Resolution(first.pk, 50)])
    held(alice, 40, "b")

    with pytest.raises(SpendingCapReached) as refusal:
        held(alice, 11, "c")

    assert refusal.value.extra == {"required": 11, "cap": 100, "left": 10}
    assert spendable(wallet_of(alice.pk)) == 10
    held(alice, 10, "d")
    assert wallet_of(alice.pk).held == 50


def test_a_released_hold_does_not_count(alice: User) -> None:
    set_spending_cap(wallet_id=wallet_of(alice.pk).pk, cap=100)
    resolve_holds([Resolution(held(alice, 100, "a").pk, 0)])

    held(alice, 100, "b")

    assert wallet_of(alice.pk).held == 100


def test_last_months_charges_do_not_count(db: None) -> None:
    carol = make_user("carol")
    wallet = wallet_of(carol.pk)
    set_spending_cap(wallet_id=wallet.pk, cap=100)
    before = month_start() - timedelta(microseconds=1)
    moved(wallet, LedgerEntry.Kind.GRANT, 1_000, before)
    moved(wallet, LedgerEntry.Kind.CAPTURE, -90, before)
    moved(wallet, LedgerEntry.Kind.CAPTURE, -30, month_start())
    moved(wallet, LedgerEntry.Kind.TOP_UP, 500, month_start())

    assert spendable(wallet_of(carol.pk)) == 70
    held(carol, 70, "a")
    with pytest.raises(SpendingCapReached):
        held(carol, 1, "b")


def test_what_is_refunded_or_taken_back_leaves_the_charges_as_they_are(alice: User) -> None:
    wallet = wallet_of(alice.pk)
    set_spending_cap(wallet_id=wallet.pk, cap=100)
    charged = held(alice, 60, "a")
    resolve_holds([Resolution(charged.pk, 60)])

    refund(hold_id=charged.pk, amount=20, reason="A mistake", actor_id=alice.pk)
    correct(
        wallet_id=wallet.pk, amount=-5, reason="Agreed", actor_id=alice.pk, adjustment_id=new_id()
    )

    assert spendable(wallet_of(alice.pk)) == 40


def test_a_wallet_that_nothing_ever_moved_has_all_of_its_cap(db: None) -> None:
    wallet = wallet_of(make_user("carol").pk)

    assert committed_this_month(wallet) == 0


def test_a_cap_of_zero_stops_spending_and_none_lifts_it(alice: User) -> None:
    wallet_id = wallet_of(alice.pk).pk
    set_spending_cap(wallet_id=wallet_id, cap=0)
    with pytest.raises(SpendingCapReached):
        held(alice, 1, "a")

    set_spending_cap(wallet_id=wallet_id, cap=None)

    held(alice, 1, "a")
    assert wallet_of(alice.pk).held == 1


@pytest.mark.parametrize("cap", [-1, 2**53])
def test_a_cap_that_means_nothing_is_refused(alice: User, cap: int) -> None:
    with pytest.raises(InvalidAmount):
        set_spending_cap(wallet_id=wallet_of(alice.pk).pk, cap=cap)

    assert wallet_of(alice.pk).spending_cap is None


def test_a_client_sets_and_lifts_the_cap_on_its_page(
    alice: User, page: Callable[[User], Client]
) -> None:
    form = {"spending_cap": "70"}

    assert page(alice).post("/wallet/cap", form).status_code == 302
    assert wallet_of(alice.pk).spending_cap == 70
    assert "70" in page(alice).get("/wallet").content.decode()

    page(alice).post("/wallet/cap", {**form, "spending_cap": ""})
    assert wallet_of(alice.pk).spending_cap is None


def test_the_page_refuses_a_negative_cap_and_a_stranger(
    alice: User, page: Callable[[User], Client], client: Client
) -> None:
    answer = page(alice).post("/wallet/cap", {"spending_cap": "-1"})

    assert answer.status_code == 200
    assert wallet_of(alice.pk).spending_cap is None
    assert client.post("/wallet/cap", {"spending_cap": "5"}).status_code == 302
