"""What a signed payment event needs a person for: it is kept, answered, and told once."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core import mail
from django.db import OperationalError
from django.test import Client

from accounts.models import User
from billing import payment_events
from billing.models import ProviderEvent, TopUp
from billing.payment_events import apply_event
from billing.services import wallet_of
from billing.top_ups import start_top_up
from mlservice.lib.mail.models import Letter
from mlservice.lib.mail.outbox import send_letters
from tests.billing.stripe_stub import StripeStub, checkout_event, event, signed
from tests.conftest import make_user

URL = "/api/v1/webhooks/stripe"


@pytest.fixture
def top_up(stripe_stub: StripeStub, db: None) -> TopUp:
    carol = make_user("carol")
    return start_top_up(wallet=wallet_of(carol.pk), amount=500, provider="stripe")


def told(client: Client, what: Any) -> str:
    answer = client.post(URL, **signed(what))
    assert answer.status_code == 200, answer.content
    return str(answer.json()["outcome"])


def differs(top_up: TopUp) -> Any:
    return checkout_event(top_up, amount_total=1)


def unreadable(top_up: TopUp) -> Any:
    return checkout_event(top_up, payment_intent=None)


def paid_again(top_up: TopUp) -> Any:
    apply_event(checkout_event(top_up, id="evt_0"))
    return checkout_event(top_up, payment_intent="pi_2")


@pytest.mark.parametrize(
    ("happened", "outcome", "said"),
    [
        (differs, "differs", "paid another price: look at it"),
        (paid_again, "paid_twice", "paid twice: give one back"),
        (unreadable, "refused", "could not be applied: look at it"),
    ],
)
def test_operators_are_written_to_once_about_what_needs_a_person(
    client: Client,
    staff: User,
    top_up: TopUp,
    happened: Callable[[TopUp], Any],
    outcome: str,
    said: str,
) -> None:
    what = happened(top_up)

    assert [told(client, what), told(client, what)][0] == outcome

    send_letters()
    [letter] = mail.outbox
    row = ProviderEvent.objects.get(external_id="evt_1")
    assert letter.to == ["operator@example.com"]
    assert letter.subject == f"An event of Stripe needs a look: {said}"
    assert "checkout.session.completed as evt_1" in letter.body
    assert f"cs_test_{top_up.pk}" in letter.body
    assert f"/admin/billing/providerevent/{row.pk}/change/\n" in letter.body


def test_an_operator_who_may_see_the_event_reads_of_it_in_russian(
    client: Client, staff: User, top_up: TopUp
) -> None:
    make_user("guest", is_staff=True)
    User.objects.filter(pk=staff.pk).update(language="ru")

    told(client, differs(top_up))

    letter = Letter.objects.get()
    assert letter.subject == "Событие Stripe требует внимания: оплачена другая сумма: проверьте"
    assert "Итог: оплачена другая сумма" in letter.body


def test_what_is_settled_is_nobodys_worry(client: Client, staff: User, top_up: TopUp) -> None:
    told(client, checkout_event(top_up, payment_status="unpaid"))
    told(client, checkout_event(top_up, id="evt_2"))
    told(client, checkout_event(top_up, id="evt_3", metadata={}))

    assert not Letter.objects.exists()


def test_a_letter_is_written_with_the_events_row_or_not_at_all(
    staff: User, top_up: TopUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(row: ProviderEvent) -> None:
        raise OperationalError("the database is away")

    monkeypatch.setattr(payment_events, "tell_operators_of_event", broken)
    with pytest.raises(OperationalError):
        apply_event(differs(top_up))

    assert not ProviderEvent.objects.exists()


PAID = "checkout.session.completed"
ODD: dict[str, Any] = {
    "nothing": None,
    "a list": [],
    "a number": 7,
    "a text": '"paid"',
    "no JSON": "{",
    "empty": {},
    "without data": {"id": "evt_1", "type": PAID},
    "data that is a text": {"id": "evt_1", "type": PAID, "data": "object"},
    "without an object": {"id": "evt_1", "type": PAID, "data": {}},
    "an object that is nothing": {"id": "evt_1", "type": PAID, "data": {"object": None}},
    "an object that is a list": {"id": "evt_1", "type": PAID, "data": {"object": [1]}},
    "without an id": {"type": PAID, "data": {"object": {}}},
    "an id that is a list": {"id": ["evt_1"], "type": PAID, "data": {"object": {}}},
    "an id with a zero byte": {"id": "evt\0", "type": PAID, "data": {"object": {}}},
    "an endless id": {"id": "e" * 300, "type": PAID, "data": {"object": {}}},
    "without a type": {"id": "evt_1", "data": {"object": {}}},
    "a type that is a list": {"id": "evt_1", "type": [PAID], "data": {"object": {}}},
    "an object with half a sign": {
        "id": "evt_1",
        "type": PAID,
        "data": {"object": {"id": "\ud800"}},
    },
    "an endless amount": event(
        "refund.created", status="succeeded", payment_intent="pi_1", amount=float("inf")
    ),
    "a payment that is a list": event(
        "refund.created", status="succeeded", payment_intent=["pi_1"], amount=5
    ),
    "an amount beyond all numbers": event(
        "refund.created", status="succeeded", payment_intent="pi_1", amount=10**30
    ),
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_an_odd_signed_event_is_kept_once_and_answered(
    client: Client, staff: User, stripe_stub: StripeStub, odd: Any
) -> None:
    assert [told(client, odd), told(client, odd)] == ["refused", "refused"]

    row = ProviderEvent.objects.get()
    assert (row.outcome, row.detail != "") == ("refused", True)
    assert Letter.objects.count() == 1


def test_an_object_whose_id_has_a_zero_byte_is_applied(client: Client, top_up: TopUp) -> None:
    what = checkout_event(top_up)
    what["data"]["object"]["id"] = "cs\0" + "x" * 300

    assert told(client, what) == "applied"
    assert ProviderEvent.objects.get().detail.startswith("csx")
