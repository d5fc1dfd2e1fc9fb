"""Operators' decisions on money: who, why, once, and large ones by two."""

from collections.abc import Callable
from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from billing.adjustments import adjust, approve_adjustment, reject_adjustment
from billing.errors import (
    AlreadyApplied,
    BalanceTooLow,
    InvalidAmount,
    ReasonMissing,
    RefundTooLarge,
    SecondOperatorNeeded,
)
from billing.models import Hold, LedgerEntry, PendingAdjustment
from billing.services import Resolution, place_hold, refund, resolve_holds, wallet_of
from mlservice.lib.ids import new_id
from tests.conftest import make_user

LARGE = 10_001


def adjusted(user: User, staff: User, amount: int, **fields: object) -> PendingAdjustment | None:
    wanted: dict[str, object] = {
        "kind": "correction",
        "wallet_id": wallet_of(user.pk).pk,
        "amount": amount,
        "reason": "Agreed by phone",
        "actor_id": staff.pk,
        "adjustment_id": new_id(),
        **fields,
    }
    return adjust(**wanted)  # type: ignore[arg-type]


def charged_hold(user: User, amount: int) -> Hold:
    wallet = wallet_of(user.pk)
    hold = place_hold(wallet=wallet, amount=amount, reference=("prediction", str(new_id())))
    resolve_holds([Resolution(hold.pk, amount)])
    return hold


def test_a_grant_says_who_gave_it_and_why(alice: User, staff: User) -> None:
    adjusted(alice, staff, 50, kind="grant")

    entry = LedgerEntry.objects.latest("id")
    assert (entry.kind, entry.amount, entry.balance_after) == ("grant", 50, 1_050)
    assert (entry.actor, entry.reason) == (staff, "Agreed by phone")


@pytest.mark.parametrize("amount", [-1_000, -1, 1, 10_000])
def test_a_correction_goes_up_and_down(alice: User, staff: User, amount: int) -> None:
    adjusted(alice, staff, amount)

    assert wallet_of(alice.pk).balance == 1_000 + amount


def test_a_correction_below_what_is_available_is_refused(alice: User, staff: User) -> None:
    place_hold(wallet=wallet_of(alice.pk), amount=400, reference=("prediction", "p"))

    with pytest.raises(BalanceTooLow) as refusal:
        adjusted(alice, staff, -601)

    assert refusal.value.extra == {"available": 600, "wanted": 601}
    assert wallet_of(alice.pk).balance == 1_000


@pytest.mark.parametrize(("kind", "amount"), [("grant", 0), ("grant", -1), ("correction", 0)])
def test_an_amount_that_means_nothing_is_refused(
    alice: User, staff: User, kind: str, amount: int
) -> None:
    with pytest.raises(InvalidAmount):
        adjusted(alice, staff, amount, kind=kind)

    assert wallet_of(alice.pk).balance == 1_000


def test_a_reason_is_required(alice: User, staff: User) -> None:
    with pytest.raises(ReasonMissing):
        adjusted(alice, staff, 5, reason="  ")

    assert wallet_of(alice.pk).balance == 1_000


def test_the_same_adjustment_is_written_once(alice: User, staff: User) -> None:
    same = new_id()
    adjusted(alice, staff, 5, adjustment_id=same)

    with pytest.raises(AlreadyApplied):
        adjusted(alice, staff, 5, adjustment_id=same)

    assert wallet_of(alice.pk).balance == 1_005


def test_a_refund_gives_back_at_most_what_was_charged_and_once(alice: User, staff: User) -> None:
    hold = charged_hold(alice, 100)

    with pytest.raises(RefundTooLarge):
        refund(hold_id=hold.pk, amount=101, reason="Wrong price", actor_id=staff.pk)
    entry = refund(hold_id=hold.pk, amount=40, reason="Wrong price", actor_id=staff.pk)
    with pytest.raises(AlreadyApplied):
        refund(hold_id=hold.pk, amount=1, reason="Wrong price", actor_id=staff.pk)

    hold.refresh_from_db()
    assert hold.refunded == 40
    assert entry.reference == {"type": "prediction", "id": hold.reference_id}
    assert wallet_of(alice.pk).balance == 940


def test_a_hold_that_was_released_cannot_be_refunded(alice: User, staff: User) -> None:
    hold = place_hold(wallet=wallet_of(alice.pk), amount=10, reference=("prediction", "p"))
    resolve_holds([Resolution(hold.pk, 0)])

    with pytest.raises(RefundTooLarge):
        refund(hold_id=hold.pk, amount=1, reason="Kindness", actor_id=staff.pk)


def test_a_large_grant_waits_for_a_second_operator(alice: User, staff: User) -> None:
    second = make_user("second", is_staff=True)

    waiting = adjusted(alice, staff, LARGE, kind="grant")

    assert waiting is not None
    assert wallet_of(alice.pk).balance == 1_000
    with pytest.raises(SecondOperatorNeeded):
        approve_adjustment(adjustment_id=waiting.pk, actor_id=staff.pk)
    approve_adjustment(adjustment_id=waiting.pk, actor_id=second.pk)
    assert wallet_of(alice.pk).balance == 1_000 + LARGE
    with pytest.raises(AlreadyApplied):
        approve_adjustment(adjustment_id=waiting.pk, actor_id=second.pk)


def test_a_large_refund_of_a_hold_is_carried_out_on_approval(alice: User, staff: User) -> None:
    second = make_user("second", is_staff=True)
    adjusted(alice, staff, 10_000)
    hold = charged_hold(alice, 10_500)

    waiting = adjusted(alice, staff, 10_500, kind="refund", hold_id=hold.pk)
    assert waiting is not None
    approve_adjustment(adjustment_id=waiting.pk, actor_id=second.pk)

    hold.refresh_from_db()
    assert hold.refunded == 10_500


def test_what_was_rejected_moves_nothing(alice: User, staff: User) -> None:
    waiting = adjusted(alice, staff, LARGE, kind="grant")
    assert waiting is not None

    reject_adjustment(adjustment_id=waiting.pk, actor_id=staff.pk)

    assert wallet_of(alice.pk).balance == 1_000
    with pytest.raises(AlreadyApplied):
        approve_adjustment(adjustment_id=waiting.pk, actor_id=alice.pk)


def test_a_large_correction_that_cannot_be_done_is_refused_at_once(
    alice: User, staff: User
) -> None:
    with pytest.raises(BalanceTooLow):
        adjusted(alice, staff, -LARGE)

    assert not PendingAdjustment.objects.exists()


def test_an_operator_grants_in_the_admin_and_a_double_click_grants_once(
    alice: User, staff: User, page: Callable[[User], Client]
) -> None:
    url = reverse("admin:billing_wallet_adjust", args=[wallet_of(alice.pk).pk])
    form = {"id": str(new_id()), "kind": "grant", "amount": "25", "reason": "Sorry"}

    assert page(staff).get(url).status_code == 200
    first = page(staff).post(url, form)
    again = page(staff).post(url, form)

    assert first.status_code == 302
    assert "in the ledger already" in again.content.decode()
    assert wallet_of(alice.pk).balance == 1_025


def test_an_operator_refunds_a_charge_in_the_admin(
    alice: User, staff: User, page: Callable[[User], Client]
) -> None:
    hold = charged_hold(alice, 30)
    url = reverse("admin:billing_hold_refund", args=[hold.pk])
    form = {"id": str(new_id()), "kind": "refund", "amount": "30", "reason": "Bad model"}

    answer = page(staff).post(url, form)

    assert answer.status_code == 302
    assert wallet_of(alice.pk).balance == 1_000


def test_a_client_does_not_reach_the_page(alice: User, page: Callable[[User], Client]) -> None:
    url = reverse("admin:billing_wallet_adjust", args=[wallet_of(alice.pk).pk])

    answer = page(alice).post(
        url, {"id": str(UUID(int=1)), "kind": "grant", "amount": 9, "reason": "x"}
    )

    assert answer.status_code == 302
    assert wallet_of(alice.pk).balance == 1_000


def test_a_clerk_without_the_right_is_refused(alice: User, page: Callable[[User], Client]) -> None:
    clerk = make_user("clerk", is_staff=True)
    url = reverse("admin:billing_wallet_adjust", args=[wallet_of(alice.pk).pk])

    assert page(clerk).get(url).status_code == 403
