"""The operators' desk for money: nothing is written by hand, a top-up is decided once."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from billing.adjustments import adjust
from billing.models import LedgerEntry, TopUp
from billing.services import Resolution, place_hold, resolve_holds, wallet_of
from billing.top_ups import start_top_up
from mlservice.lib.ids import new_id
from tests.conftest import make_user

Page = Callable[[User], Client]
MONEY = ("wallet", "hold", "ledgerentry", "topup")


def make_pending(user: User, *, amount: int = 50) -> TopUp:
    return start_top_up(wallet=wallet_of(user.pk), amount=amount, provider="manual")


def act(client: Client, action: str, *top_ups: TopUp, note: str = "Seen") -> list[str]:
    """Decide the top-ups with a note; return what the operator is told."""
    chosen = {
        "action": action,
        "_selected_action": [top_up.pk for top_up in top_ups],
        "decided": "1",
        "note": note,
    }
    answer = client.post("/admin/billing/topup/", chosen, follow=True)
    assert answer.status_code == 200
    return [str(message) for message in answer.context["messages"]]


def test_an_approved_top_up_is_credited_and_names_its_operator(
    staff: User, alice: User, page: Page
) -> None:
    top_up = make_pending(alice, amount=50)

    act(page(staff), "approve", top_up)

    top_up.refresh_from_db()
    entry = LedgerEntry.objects.get(reference_id=str(top_up.pk))
    assert (top_up.status, top_up.resolved_by) == (TopUp.Status.PAID, staff)
    assert (entry.amount, entry.actor) == (50, staff)
    assert wallet_of(alice.pk).balance == 1_050


def test_a_rejected_top_up_credits_nothing(staff: User, alice: User, page: Page) -> None:
    top_up = make_pending(alice)

    act(page(staff), "reject", top_up)

    top_up.refresh_from_db()
    assert (top_up.status, top_up.resolved_by) == (TopUp.Status.FAILED, staff)
    assert wallet_of(alice.pk).balance == 1_000


def test_a_top_up_decided_before_is_told_of_and_its_neighbour_is_paid(
    staff: User, alice: User, page: Page
) -> None:
    decided, pending = make_pending(alice), make_pending(alice)
    client = page(staff)
    act(client, "approve", decided)

    told = act(client, "approve", decided, pending)

    assert any("already" in message for message in told)
    assert wallet_of(alice.pk).balance == 1_100


@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_a_decision_asks_for_a_note_first_and_changes_nothing_yet(
    staff: User, alice: User, page: Page, decision: str
) -> None:
    first, second = make_pending(alice, amount=51), make_pending(alice, amount=52)
    chosen = {"action": decision, "_selected_action": [first.pk, second.pk]}

    answer = page(staff).post("/admin/billing/topup/", chosen)

    asked = answer.content.decode()
    assert answer.status_code == 200
    assert all(f'value="{top_up.pk}"' in asked for top_up in (first, second))
    assert 'name="note"' in asked
    assert TopUp.objects.filter(status=TopUp.Status.PENDING).count() == 2


def test_several_are_decided_with_one_note(staff: User, alice: User, page: Page) -> None:
    top_ups = [make_pending(alice, amount=10) for _ in range(3)]

    act(page(staff), "approve", *top_ups, note="Invoice 7")

    assert set(TopUp.objects.filter(pk__in=[one.pk for one in top_ups]).values_list("note")) == {
        ("Invoice 7",)
    }
    assert wallet_of(alice.pk).balance == 1_030


def test_an_approval_needs_no_note_and_a_rejection_does(
    staff: User, alice: User, page: Page
) -> None:
    approved, kept = make_pending(alice), make_pending(alice)

    act(page(staff), "approve", approved, note="")
    refused = page(staff).post(
        "/admin/billing/topup/",
        {"action": "reject", "_selected_action": [kept.pk], "decided": "1", "note": " "},
    )

    approved.refresh_from_db()
    kept.refresh_from_db()
    assert (approved.status, kept.status) == (TopUp.Status.PAID, TopUp.Status.PENDING)
    assert refused.context["form"].errors["note"]


def test_too_many_at_once_are_not_decided(
    staff: User, alice: User, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billing.deciding.AT_ONCE", 1)
    top_ups = [make_pending(alice) for _ in range(2)]

    told = act(page(staff), "approve", *top_ups)

    assert told == ["Choose at most 1 top-ups at once."]
    assert wallet_of(alice.pk).balance == 1_000


def test_an_operator_who_may_only_look_approves_nothing(alice: User, page: Page) -> None:
    viewer = make_user("viewer", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename="view_topup"))
    top_up = make_pending(alice)

    act(page(viewer), "approve", top_up)

    top_up.refresh_from_db()
    assert top_up.status == TopUp.Status.PENDING


def test_the_pending_ones_are_filtered(staff: User, alice: User, page: Page) -> None:
    pending = make_pending(alice)

    answer = page(staff).get("/admin/billing/topup/?status__exact=pending")

    assert [top_up.pk for top_up in answer.context["cl"].result_list] == [pending.pk]


@pytest.mark.parametrize("name", MONEY)
def test_money_is_neither_added_nor_changed_nor_deleted(
    staff: User, alice: User, page: Page, name: str
) -> None:
    client = page(staff)
    wallet = wallet_of(alice.pk)
    rows = {
        "wallet": wallet,
        "hold": place_hold(wallet=wallet, amount=5, reference=("test", "1")),
        "ledgerentry": LedgerEntry.objects.get(wallet=wallet),
        "topup": TopUp.objects.get(wallet=wallet),
    }
    address = f"/admin/billing/{name}"

    seen = client.get(f"{address}/{rows[name].pk}/change/")
    added = client.post(f"{address}/add/", {})
    changed = client.post(f"{address}/{rows[name].pk}/change/", {"amount": 9})
    deleted = client.post(f"{address}/{rows[name].pk}/delete/", {"post": "yes"})

    assert seen.status_code == 200
    assert [added.status_code, changed.status_code, deleted.status_code] == [403, 403, 403]


@pytest.mark.parametrize("name", MONEY)
def test_a_list_asks_as_often_for_thirty_rows_as_for_three(
    staff: User, page: Page, name: str
) -> None:
    client = page(staff)
    make_rows(range(3))
    few = queries_of(client, name)

    make_rows(range(3, 30))

    assert queries_of(client, name) == few


def make_rows(numbers: range) -> None:
    """Give every number its own user, with a wallet, a top-up, an entry and a hold."""
    for number in numbers:
        wallet = wallet_of(make_user(f"user{number}", credits=10).pk)
        place_hold(wallet=wallet, amount=1, reference=("test", str(number)))


def queries_of(client: Client, name: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert client.get(f"/admin/billing/{name}/").status_code == 200
    return len(queries)


def test_every_entry_says_who_made_it_and_why(staff: User, alice: User, page: Page) -> None:
    top_up = make_pending(alice)
    act(page(staff), "approve", top_up)

    shown = page(staff).get("/admin/billing/ledgerentry/").content.decode()

    assert f"Seen · top_up {top_up.pk}" in shown
    assert "operator" in shown
    assert "the service" in shown


@pytest.mark.parametrize(
    ("right", "address", "status"),
    [
        (None, "/admin/billing/ledgerentry/", 403),
        (None, "/admin/billing/auditrun/", 403),
        (None, "/admin/billing/pendingadjustment/", 403),
        ("view_ledgerentry", "/admin/billing/ledgerentry/", 200),
        ("view_auditrun", "/admin/billing/auditrun/", 200),
        ("view_wallet", "/admin/billing/wallet/{wallet}/adjust", 403),
        ("view_hold", "/admin/billing/hold/{hold}/refund", 403),
        ("add_pendingadjustment", "/admin/billing/wallet/{wallet}/adjust", 200),
        ("add_pendingadjustment", "/admin/billing/hold/{hold}/refund", 200),
    ],
)
def test_a_clerk_sees_and_does_only_what_the_rights_say(
    alice: User, page: Page, right: str | None, address: str, status: int
) -> None:
    clerk = make_user("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename=right))
    wallet = wallet_of(alice.pk)
    hold = place_hold(wallet=wallet, amount=5, reference=("test", "1"))

    answer = page(clerk).get(address.format(wallet=wallet.pk, hold=hold.pk))

    assert answer.status_code == status


def test_a_clerk_without_the_right_refunds_nothing(alice: User, page: Page) -> None:
    clerk = make_user("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    hold = place_hold(wallet=wallet_of(alice.pk), amount=5, reference=("test", "1"))
    resolve_holds([Resolution(hold.pk, 5)])
    form = {"id": str(new_id()), "kind": "refund", "amount": "5", "reason": "Kindness"}

    answer = page(clerk).post(f"/admin/billing/hold/{hold.pk}/refund", form)

    assert answer.status_code == 403
    assert wallet_of(alice.pk).balance == 995


def test_a_clerk_who_may_only_look_approves_no_adjustment(
    staff: User, alice: User, page: Page
) -> None:
    clerk = make_user("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename="view_pendingadjustment"))
    waiting = adjust(
        kind="grant",
        wallet_id=wallet_of(alice.pk).pk,
        amount=10_001,
        reason="Large",
        actor_id=staff.pk,
        adjustment_id=new_id(),
    )
    assert waiting is not None

    page(clerk).post(
        "/admin/billing/pendingadjustment/",
        {"action": "approve", "_selected_action": [str(waiting.pk)]},
    )

    waiting.refresh_from_db()
    assert waiting.status == waiting.Status.PENDING
    assert wallet_of(alice.pk).balance == 1_000
