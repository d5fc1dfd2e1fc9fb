"""Every word of an entry: who, why, for what."""

from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import User
from billing.errors import (
    TopUpAlreadyResolved,
)
from billing.models import LedgerEntry
from billing.services import (
    correct,
    grant,
    open_wallet,
    pay_top_up,
    refund,
    reject_top_up,
    wallet_of,
)
from tests.billing.books import (
    ID,
    about,
    charge,
    last_entry,
    pending,
    refused,
    reverse,
    wallet_id,
    written,
)
from tests.conftest import make_user


def test_the_sign_up_grant_says_so(settings: Any, db: None) -> None:
    settings.SIGNUP_CREDITS = 25

    carol = make_user("carol")

    assert last_entry(carol) == written(
        "grant", 25, 25, reason="Sign-up credits", **about("sign_up", carol.pk)
    )
    assert open_wallet(user_id=carol.pk).pk == wallet_id(carol)
    assert LedgerEntry.objects.count() == 1


def test_without_a_sign_up_grant_nothing_is_written(db: None) -> None:
    make_user("carol")

    assert not LedgerEntry.objects.exists()


def test_a_charge_names_its_work(alice: User) -> None:
    charge(alice)

    assert last_entry(alice) == written("capture", -100, 900, **about("prediction", "p-1"))


def test_a_payment_names_its_top_up_operator_and_note(alice: User, staff: User) -> None:
    top_up = pending(alice)

    paid = pay_top_up(top_up_id=top_up.pk, note="Transfer 17", actor_id=staff.pk)

    assert last_entry(alice) == written(
        "top_up",
        50,
        1_050,
        actor_id=staff.pk,
        reason="Transfer 17",
        **about("top_up", top_up.pk),
    )
    assert (paid.note, paid.resolved_by_id, paid.payment_id) == ("Transfer 17", staff.pk, None)
    assert paid.resolved_at is not None


def test_a_payment_without_a_note_has_none(alice: User) -> None:
    paid = pay_top_up(top_up_id=pending(alice).pk, payment_id="pay_1")

    assert (last_entry(alice)["reason"], paid.note, paid.payment_id) == ("", "", "pay_1")


def test_a_rejection_keeps_note_and_operator(alice: User, staff: User) -> None:
    top_up = pending(alice)

    closed = reject_top_up(top_up_id=top_up.pk, note="No money came", actor_id=staff.pk)

    assert (closed.pk, closed.status, closed.note) == (top_up.pk, "failed", "No money came")
    assert closed.resolved_by_id == staff.pk


def test_a_provider_may_pay_what_was_rejected_and_nobody_else(alice: User, staff: User) -> None:
    top_up = pending(alice)
    reject_top_up(top_up_id=top_up.pk, note="No money came", actor_id=staff.pk)

    assert refused(lambda: pay_top_up(top_up_id=top_up.pk)) == (
        TopUpAlreadyResolved,
        "This top-up is failed already.",
        {},
    )
    assert pay_top_up(top_up_id=top_up.pk, payment_id="pay_1").status == "paid"


def test_what_a_provider_took_back_and_returned_names_the_top_up(db: None) -> None:
    carol = make_user("carol")
    top_up = pending(carol, 500)
    pay_top_up(top_up_id=top_up.pk, payment_id="pay_1")

    reverse(200)
    taken = last_entry(carol)
    reverse(200, is_active=False)

    assert taken == written(
        "reversal",
        -200,
        300,
        reason="Payment reversed by the provider",
        **about("top_up", top_up.pk),
    )
    assert last_entry(carol) == written(
        "reversal",
        200,
        500,
        reason="Reversal undone by the payment provider",
        **about("top_up", top_up.pk),
    )


@pytest.mark.parametrize(
    ("act", "kind", "amount"), [(grant, "grant", 7), (correct, "correction", -7)]
)
def test_an_adjustment_names_operator_reason_and_itself(
    alice: User, staff: User, act: Callable[..., LedgerEntry], kind: str, amount: int
) -> None:
    entry = act(
        wallet_id=wallet_id(alice),
        amount=amount,
        reason="  As agreed  ",
        actor_id=staff.pk,
        adjustment_id=ID,
    )

    assert last_entry(alice) == written(
        kind,
        amount,
        1_000 + amount,
        actor_id=staff.pk,
        reason="As agreed",
        **about("adjustment", ID),
    )
    assert entry.kind == kind


@pytest.mark.parametrize("act", [grant, correct])
def test_an_adjustment_covers_what_is_owed(
    db: None, staff: User, act: Callable[..., LedgerEntry]
) -> None:
    carol = make_user("carol")
    pay_top_up(top_up_id=pending(carol, 500).pk, payment_id="pay_1")
    charge(carol, 500)
    reverse(500)

    act(wallet_id=wallet_id(carol), amount=600, reason="Cover", actor_id=staff.pk, adjustment_id=ID)

    wallet = wallet_of(carol.pk)
    assert (wallet.balance, wallet.shortfall) == (100, 0)


def test_a_refund_names_operator_reason_and_work_and_covers_what_is_owed(
    db: None, staff: User
) -> None:
    carol = make_user("carol")
    pay_top_up(top_up_id=pending(carol, 500).pk, payment_id="pay_1")
    hold = charge(carol, 500)
    reverse(100)

    entry = refund(hold_id=hold.pk, amount=300, reason=" Wrong model ", actor_id=staff.pk)

    assert (entry.kind, entry.amount, entry.balance_after) == ("refund", 300, 300)
    assert (entry.actor_id, entry.reason) == (staff.pk, "Wrong model")
    assert entry.reference == {"type": "prediction", "id": "p-1"}
    wallet = wallet_of(carol.pk)
    assert (wallet.balance, wallet.shortfall) == (200, 0)
