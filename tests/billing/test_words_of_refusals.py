"""Every word of a refusal: what is missing, what the limits are, and what to do about it."""

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
    WalletFrozen,
)
from billing.models import MAX_AMOUNT, Hold, LedgerEntry
from billing.services import (
    Resolution,
    correct,
    grant,
    pay_top_up,
    place_hold,
    refund,
    resolve_holds,
    set_spending_cap,
    wallet_of,
)
from tests.billing.books import (
    ID,
    adjust,
    charge,
    pending,
    refused,
    reverse,
    wallet_id,
)
from tests.conftest import make_user


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
        {"required": 41, "cap": 100, "left": 40},
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
        {"most": MAX_AMOUNT},
    )


@pytest.mark.parametrize("amount", [0, MAX_AMOUNT + 1, -MAX_AMOUNT - 1])
def test_a_correction_outside_its_limits_names_them(alice: User, staff: User, amount: int) -> None:
    assert refused(lambda: adjust(correct, alice, staff, amount)) == (
        InvalidAmount,
        f"A correction is -{MAX_AMOUNT} to {MAX_AMOUNT} credits, and not 0.",
        {"most": MAX_AMOUNT},
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
        {"most": MAX_AMOUNT},
    )
    assert wallet_of(alice.pk).balance == 1_000


def test_a_correction_that_takes_too_much_says_what_is_there(alice: User, staff: User) -> None:
    assert refused(lambda: adjust(correct, alice, staff, -1_001)) == (
        BalanceTooLow,
        "1000 credits are available, so 1001 cannot be taken.",
        {"available": 1_000, "wanted": 1_001},
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
        {"refunded": 100},
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
        {"most": MAX_AMOUNT},
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
