"""Every word of an entry and of a refusal: who, why, for what, and what to do about it."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from accounts.models import User
from billing import services as billing
from billing.errors import (
    AlreadyApplied,
    BalanceTooHigh,
    BalanceTooLow,
    InsufficientCredits,
    InvalidAmount,
    NotSignedIn,
    ReasonMissing,
    RefundTooLarge,
    SpendingCapReached,
    TopUpAlreadyResolved,
    WalletFrozen,
)
from billing.models import MAX_AMOUNT, Hold, LedgerEntry, TopUp
from billing.services import (
    Resolution,
    correct,
    grant,
    open_wallet,
    pay_top_up,
    place_hold,
    record_reversal,
    refund,
    reject_top_up,
    resolve_holds,
    set_spending_cap,
    wallet_of,
)
from billing.top_ups import start_top_up
from mlservice.lib.errors import DomainError
from mlservice.lib.ids import new_id
from tests.conftest import make_user

ID = UUID("0197b7a2-5f0e-7c3a-9d7e-2f4b8a1c6e55")


def last_entry(user: User) -> dict[str, Any]:
    return dict(
        LedgerEntry.objects.filter(wallet__user=user)
        .values(
            *("kind", "amount", "balance_after", "actor_id", "reason"),
            *("reference_type", "reference_id"),
        )
        .latest("id")
    )


def written(kind: str, amount: int, balance_after: int, **fields: Any) -> dict[str, Any]:
    entry = {"kind": kind, "amount": amount, "balance_after": balance_after}
    return {**entry, "actor_id": None, "reason": "", **fields}


def about(type: str, id: object) -> dict[str, str]:
    return {"reference_type": type, "reference_id": str(id)}


def wallet_id(user: User) -> int:
    return wallet_of(user.pk).pk


def charge(user: User, amount: int = 100) -> Hold:
    hold = place_hold(wallet=wallet_of(user.pk), amount=amount, reference=("prediction", "p-1"))
    resolve_holds([Resolution(hold.pk, amount)])
    return hold


def pending(user: User, amount: int = 50) -> TopUp:
    return start_top_up(wallet=wallet_of(user.pk), amount=amount, provider="manual")


def reverse(cents: int, *, is_active: bool = True, external_id: str = "re_1") -> TopUp | None:
    return record_reversal(
        provider="manual",
        payment_id="pay_1",
        external_id=external_id,
        cents=cents,
        is_active=is_active,
    )


def refused(act: Callable[[], object]) -> tuple[type[DomainError], str, dict[str, Any]]:
    with pytest.raises(DomainError) as refusal:
        act()
    return refusal.type, str(refusal.value.detail), refusal.value.extra


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


def test_what_was_only_owed_is_forgiven_without_an_entry(db: None) -> None:
    carol = make_user("carol")
    pay_top_up(top_up_id=pending(carol, 500).pk, payment_id="pay_1")
    charge(carol, 500)
    reverse(500)
    entries = LedgerEntry.objects.count()

    top_up = reverse(500, is_active=False)

    assert top_up is not None
    assert (top_up.shortfall, top_up.reversed) == (0, 0)
    assert (wallet_of(carol.pk).balance, wallet_of(carol.pk).shortfall) == (0, 0)
    assert LedgerEntry.objects.count() == entries


def test_a_reversal_of_another_provider_or_payment_is_not_this_ones(db: None) -> None:
    carol = make_user("carol")
    pay_top_up(top_up_id=pending(carol, 500).pk, payment_id="pay_1")

    for provider, payment_id in (("stripe", "pay_1"), ("manual", "pay_2")):
        record_reversal(
            provider=provider,
            payment_id=payment_id,
            external_id=f"re_{provider}",
            cents=100,
            is_active=True,
        )
    reverse(50)

    assert wallet_of(carol.pk).balance == 450


@pytest.mark.parametrize(("cents", "taken"), [(100, 33), (50, 16), (1_499, 499), (2, 0)])
def test_a_part_of_a_price_takes_that_part_of_the_credits_rounded_down(
    settings: Any, db: None, cents: int, taken: int
) -> None:
    settings.CREDIT_PRICE_CENTS = 3
    carol = make_user("carol")
    pay_top_up(top_up_id=pending(carol, 500).pk, payment_id="pay_1")

    top_up = reverse(cents)

    assert top_up is not None
    assert (top_up.cents, top_up.reversed) == (1_500, taken)
    assert wallet_of(carol.pk).balance == 500 - taken


def test_of_two_reversals_the_one_that_is_undone_is_returned(db: None) -> None:
    carol = make_user("carol")
    pay_top_up(top_up_id=pending(carol, 500).pk, payment_id="pay_1")
    reverse(200)
    reverse(100, external_id="re_2")

    top_up = reverse(100, external_id="re_2", is_active=False)

    assert top_up is not None
    assert (top_up.reversed, wallet_of(carol.pk).balance) == (200, 300)


def test_free_credits_have_nothing_to_take_back(settings: Any, db: None) -> None:
    settings.CREDIT_PRICE_CENTS = 0
    carol = make_user("carol")
    pay_top_up(top_up_id=pending(carol, 500).pk, payment_id="pay_1")

    reverse(100)

    assert wallet_of(carol.pk).balance == 500


def test_what_is_owed_is_covered_from_the_oldest_top_up_on(db: None) -> None:
    carol = make_user("carol")
    first, second = pending(carol, 100), pending(carol, 100)
    pay_top_up(top_up_id=first.pk, payment_id="pay_1")
    pay_top_up(top_up_id=second.pk, payment_id="pay_2")
    charge(carol, 200)
    for number in (1, 2):
        record_reversal(
            provider="manual",
            payment_id=f"pay_{number}",
            external_id=f"re_{number}",
            cents=100,
            is_active=True,
        )

    pay_top_up(top_up_id=pending(carol, 150).pk)

    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.shortfall, second.shortfall) == (0, 50)
    assert (wallet_of(carol.pk).balance, wallet_of(carol.pk).shortfall) == (0, 50)


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


def adjust(act: Callable[..., object], user: User, staff: User, amount: int, **fields: Any) -> Any:
    wanted = {"reason": "As agreed", "adjustment_id": new_id(), **fields}
    return act(wallet_id=wallet_id(user), amount=amount, actor_id=staff.pk, **wanted)


def test_refusals_of_a_hold_say_what_is_missing(alice: User) -> None:
    def hold(amount: int) -> Hold:
        return place_hold(wallet=wallet_of(alice.pk), amount=amount, reference=("test", "x"))

    assert refused(lambda: hold(1_001)) == (
        InsufficientCredits,
        "This needs 1001 credits and 1000 are available. Top up and send it again.",
        {"required": 1_001, "available": 1_000},
    )
    set_spending_cap(wallet_id=wallet_id(alice), cap=100)
    charge(alice, 60)
    assert refused(lambda: hold(41)) == (
        SpendingCapReached,
        "The cap of 100 credits a month leaves 40, and this needs 41. Raise the cap in the "
        "wallet, or wait for the next month.",
        {"required": 41, "cap": 100},
    )
    set_spending_cap(wallet_id=wallet_id(alice), cap=10)
    assert "leaves 0, and this needs 1." in refused(lambda: hold(1))[1]


def test_a_frozen_wallet_says_what_is_owed(db: None) -> None:
    carol = make_user("carol")
    pay_top_up(top_up_id=pending(carol, 500).pk, payment_id="pay_1")
    charge(carol, 499)
    reverse(500)

    assert refused(
        lambda: place_hold(wallet=wallet_of(carol.pk), amount=1, reference=("test", "x"))
    ) == (
        WalletFrozen,
        "499 credits of a reversed payment are owed. Top up to cover them.",
        {"shortfall": 499},
    )


@pytest.mark.parametrize("amount", [0, -1, MAX_AMOUNT + 1])
def test_a_grant_outside_its_limits_names_them(alice: User, staff: User, amount: int) -> None:
    assert refused(lambda: adjust(grant, alice, staff, amount)) == (
        InvalidAmount,
        f"A grant is 1 to {MAX_AMOUNT} credits.",
        {},
    )


@pytest.mark.parametrize("amount", [0, MAX_AMOUNT + 1, -MAX_AMOUNT - 1])
def test_a_correction_outside_its_limits_names_them(alice: User, staff: User, amount: int) -> None:
    assert refused(lambda: adjust(correct, alice, staff, amount)) == (
        InvalidAmount,
        f"A correction is -{MAX_AMOUNT} to {MAX_AMOUNT} credits, and not 0.",
        {},
    )


def test_the_largest_and_smallest_amounts_are_taken(db: None, staff: User) -> None:
    carol = make_user("carol")

    adjust(grant, carol, staff, MAX_AMOUNT)
    adjust(correct, carol, staff, -MAX_AMOUNT)
    adjust(correct, carol, staff, MAX_AMOUNT)
    adjust(correct, carol, staff, -MAX_AMOUNT)
    adjust(grant, carol, staff, 1)

    assert wallet_of(carol.pk).balance == 1


def test_more_than_a_wallet_holds_is_refused(alice: User, staff: User) -> None:
    assert refused(lambda: adjust(grant, alice, staff, MAX_AMOUNT)) == (
        BalanceTooHigh,
        f"A wallet holds at most {MAX_AMOUNT} credits.",
        {},
    )
    assert wallet_of(alice.pk).balance == 1_000


def test_a_correction_that_takes_too_much_says_what_is_there(alice: User, staff: User) -> None:
    assert refused(lambda: adjust(correct, alice, staff, -1_001)) == (
        BalanceTooLow,
        "1000 credits are available, so 1001 cannot be taken.",
        {"available": 1_000},
    )


def test_an_adjustment_that_is_repeated_says_so(alice: User, staff: User) -> None:
    adjust(grant, alice, staff, 5, adjustment_id=ID)

    assert refused(lambda: adjust(correct, alice, staff, 5, adjustment_id=ID)) == (
        AlreadyApplied,
        "This adjustment is in the ledger already.",
        {},
    )


def test_an_adjustment_is_known_by_its_kind_of_reference_too(alice: User, staff: User) -> None:
    hold = place_hold(wallet=wallet_of(alice.pk), amount=1, reference=("prediction", str(ID)))
    resolve_holds([Resolution(hold.pk, 1)])

    assert adjust(grant, alice, staff, 5, adjustment_id=ID).amount == 5


def test_refusals_of_a_refund_say_what_was_charged(alice: User, staff: User) -> None:
    hold = charge(alice, 100)

    def back(amount: int, reason: str = "Why") -> LedgerEntry:
        return refund(hold_id=hold.pk, amount=amount, reason=reason, actor_id=staff.pk)

    assert refused(lambda: back(0)) == (InvalidAmount, "A refund is at least 1 credit.", {})
    assert refused(lambda: back(101)) == (
        RefundTooLarge,
        "100 credits were charged; at most that can be given back.",
        {"captured": 100},
    )
    back(100)
    assert refused(lambda: back(1)) == (
        AlreadyApplied,
        "100 credits were refunded already.",
        {},
    )


def test_a_refund_of_one_credit_is_taken(alice: User, staff: User) -> None:
    hold = charge(alice, 1)

    assert refund(hold_id=hold.pk, amount=1, reason="Why", actor_id=staff.pk).amount == 1


@pytest.mark.parametrize("reason", ["", "  ", "\n"])
def test_a_reason_that_says_nothing_is_refused(reason: str) -> None:
    assert refused(lambda: billing.check_reason(reason)) == (
        ReasonMissing,
        "Say why: the reason stands beside the entry for good.",
        {},
    )


def test_a_reason_is_kept_as_far_as_it_fits() -> None:
    assert billing.check_reason(" " + "x" * 201) == "x" * 200


@pytest.mark.parametrize("cap", [-1, MAX_AMOUNT + 1])
def test_a_cap_outside_its_limits_names_them(alice: User, cap: int) -> None:
    assert refused(lambda: set_spending_cap(wallet_id=wallet_id(alice), cap=cap)) == (
        InvalidAmount,
        f"A cap is 0 to {MAX_AMOUNT} credits.",
        {},
    )


def test_the_smallest_and_the_largest_cap_are_taken(alice: User) -> None:
    for cap in (0, MAX_AMOUNT):
        set_spending_cap(wallet_id=wallet_id(alice), cap=cap)

        assert wallet_of(alice.pk).spending_cap == cap


def test_a_cap_is_set_on_one_wallet(alice: User, bob: User) -> None:
    set_spending_cap(wallet_id=wallet_id(alice), cap=5)

    assert wallet_of(bob.pk).spending_cap is None


def test_nobody_has_no_wallet(db: None) -> None:
    with pytest.raises(NotSignedIn):
        wallet_of(None)


def owing(name: str, credits: int, payment_id: str) -> User:
    """Make a user whose wallet owes so much of a reversed payment."""
    user = make_user(name)
    pay_top_up(top_up_id=pending(user, credits).pk, payment_id=payment_id)
    charge_all = place_hold(
        wallet=wallet_of(user.pk), amount=credits, reference=("prediction", name)
    )
    resolve_holds([Resolution(charge_all.pk, credits)])
    record_reversal(
        provider="manual",
        payment_id=payment_id,
        external_id=f"re_{name}",
        cents=credits,
        is_active=True,
    )
    return user


def test_a_wallet_covers_what_it_owes_itself_to_the_last_credit(db: None) -> None:
    carol, dave = owing("carol", 50, "pay_1"), owing("dave", 1, "pay_2")

    pay_top_up(top_up_id=pending(dave, 100).pk)

    assert (wallet_of(dave.pk).balance, wallet_of(dave.pk).shortfall) == (99, 0)
    assert (wallet_of(carol.pk).balance, wallet_of(carol.pk).shortfall) == (0, 50)
