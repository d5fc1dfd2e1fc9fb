"""A card payment: Stripe's page is opened once, and only Stripe's signed word credits."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import User
from billing.errors import PaymentProviderAway, ProviderDecides
from billing.models import LedgerEntry, PaymentReversal, ProviderEvent, TopUp
from billing.services import wallet_of
from billing.top_ups import approve_top_up, decline_top_up, expire_top_ups, start_top_up
from mlservice.audit import run_checks
from mlservice.lib.idempotency import IdempotencyKey
from tests.billing.stripe_stub import StripeStub, checkout_event, event, signed
from tests.conftest import make_user

URL = "/api/v1/webhooks/stripe"


@pytest.fixture
def carol(db: None) -> User:
    return make_user("carol")


@pytest.fixture
def top_up(carol: User, stripe_stub: StripeStub) -> TopUp:
    return start_top_up(wallet=wallet_of(carol.pk), amount=500, provider="stripe")


def told(client: Client, what: dict[str, Any], **fields: Any) -> str:
    answer = client.post(URL, **signed(what, **fields))
    assert answer.status_code == 200, answer.content
    return str(answer.json()["outcome"])


def balance(user: User) -> int:
    return wallet_of(user.pk).balance


def test_a_card_top_up_waits_with_the_address_of_its_page(
    carol: User, stripe_stub: StripeStub, api: Callable[[User], APIClient]
) -> None:
    answer = api(carol).post(
        "/api/v1/wallet/top-ups", {"amount": 500, "provider": "stripe"}, format="json"
    )

    assert answer.status_code == 201
    assert answer.json()["status"] == "pending"
    assert answer.json()["checkout_url"].startswith("https://checkout.stripe.example/")
    [asked] = stripe_stub.asked
    assert asked.path == "/v1/checkout/sessions"
    assert asked.headers["Idempotency-Key"] == answer.json()["id"]
    assert asked.form["metadata[top_up]"] == answer.json()["id"]
    assert asked.form["line_items[0][price_data][unit_amount]"] == "500"
    assert asked.form["line_items[0][price_data][currency]"] == "usd"
    assert balance(carol) == 0


def test_a_repeated_request_opens_no_second_page(
    carol: User, stripe_stub: StripeStub, api: Callable[[User], APIClient]
) -> None:
    answers = [
        api(carol).post(
            "/api/v1/wallet/top-ups",
            {"amount": 500, "provider": "stripe"},
            format="json",
            headers={"Idempotency-Key": "card-1"},
        )
        for _ in range(3)
    ]

    assert len({answer.json()["checkout_url"] for answer in answers}) == 1
    assert len(stripe_stub.asked) == 1
    assert answers[1]["Idempotent-Replayed"] == "true"


def test_a_provider_that_is_away_is_said_and_the_same_key_opens_the_page_later(
    carol: User, stripe_stub: StripeStub, api: Callable[[User], APIClient]
) -> None:
    def buy() -> Any:
        return api(carol).post(
            "/api/v1/wallet/top-ups",
            {"amount": 500, "provider": "stripe"},
            format="json",
            headers={"Idempotency-Key": "card-1"},
        )

    stripe_stub.status, stripe_stub.refusal = 503, {"message": "Down", "type": "api_error"}
    away = buy()
    stripe_stub.status = 200
    back = buy()

    assert (away.status_code, away.json()["code"]) == (503, "unavailable")
    assert away["Retry-After"] == "5"
    assert back.status_code == 201
    assert back.json()["checkout_url"]
    assert TopUp.objects.count() == 1


def test_a_page_whose_answer_was_lost_is_found_by_the_same_key(
    carol: User, stripe_stub: StripeStub
) -> None:
    key = IdempotencyKey("card-1", "0" * 64)
    buy = partial(start_top_up, wallet=wallet_of(carol.pk), amount=500, provider="stripe", key=key)
    stripe_stub.dies_after_acting = True
    with pytest.raises(PaymentProviderAway):
        buy()

    stripe_stub.status = 200
    found = buy()

    assert found.payable_at.endswith(str(found.pk))
    closes_at = int((found.created_at + timedelta(hours=23)).timestamp())
    assert [asked.form["expires_at"] for asked in stripe_stub.asked] == [str(closes_at)] * 2
    assert TopUp.objects.count() == 1


def test_a_paid_checkout_without_a_payment_is_kept_for_operators(
    client: Client, carol: User, top_up: TopUp
) -> None:
    assert told(client, checkout_event(top_up, payment_intent=None)) == "refused"
    assert balance(carol) == 0


def test_what_stripe_refuses_for_good_fails_with_its_reason(
    carol: User, stripe_stub: StripeStub
) -> None:
    stripe_stub.status = 400
    stripe_stub.refusal = {"type": "invalid_request_error", "message": "At least 50 cents."}

    top_up = start_top_up(wallet=wallet_of(carol.pk), amount=5, provider="stripe")

    assert (top_up.status, top_up.note) == ("failed", "At least 50 cents.")


def test_the_page_leads_to_the_payment(
    carol: User, stripe_stub: StripeStub, page: Callable[[User], Client]
) -> None:
    answer = page(carol).post("/wallet/top-up", {"amount": 500, "provider": "stripe"}, follow=True)

    assert TopUp.objects.get().checkout_url in answer.content.decode()


def test_a_signed_payment_credits_the_wallet(client: Client, carol: User, top_up: TopUp) -> None:
    assert told(client, checkout_event(top_up)) == "applied"

    top_up.refresh_from_db()
    assert (top_up.status, top_up.payment_id, balance(carol)) == ("paid", "pi_1", 500)
    assert not any(run_checks().values())


def test_the_same_event_again_credits_nothing(client: Client, carol: User, top_up: TopUp) -> None:
    told(client, checkout_event(top_up))

    assert told(client, checkout_event(top_up)) == "repeated"
    assert told(client, checkout_event(top_up, kind="async_payment_succeeded", id="evt_2")) == (
        "repeated"
    )
    assert balance(carol) == 500


@pytest.mark.parametrize(
    "forged",
    [
        {"secret": "whsec_somebody_elses"},
        {"timestamp": 1_700_000_000},
    ],
)
def test_an_event_that_is_not_signed_by_stripe_now_is_refused(
    client: Client, carol: User, top_up: TopUp, forged: dict[str, Any]
) -> None:
    answer = client.post(URL, **signed(checkout_event(top_up), **forged))

    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert (balance(carol), ProviderEvent.objects.count()) == (0, 0)


@pytest.mark.parametrize("body", ["", "no json", "[]", "\udcff", "null"])
def test_a_body_without_a_signature_is_refused(
    client: Client, stripe_stub: StripeStub, db: None, body: str
) -> None:
    answer = client.post(
        URL, body.encode(errors="surrogateescape"), content_type="application/json"
    )

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


def test_without_keys_there_is_no_such_address(client: Client, db: None, settings: Any) -> None:
    settings.STRIPE_WEBHOOK_SECRET = ""

    assert client.post(URL, **signed(event("refund.created"))).status_code == 404


def test_another_price_than_agreed_credits_nothing_and_is_shown_to_operators(
    client: Client, carol: User, top_up: TopUp, staff: User, page: Callable[[User], Client]
) -> None:
    assert told(client, checkout_event(top_up, amount_total=1)) == "differs"
    assert told(client, checkout_event(top_up, id="evt_2", currency="rub")) == "differs"

    assert balance(carol) == 0
    shown = page(staff).get("/admin/billing/providerevent/").content.decode()
    assert "paid another price" in shown


def test_a_checkout_that_is_not_paid_yet_is_waited_for(
    client: Client, carol: User, top_up: TopUp
) -> None:
    assert told(client, checkout_event(top_up, payment_status="unpaid")) == "ignored"
    assert balance(carol) == 0

    assert told(client, checkout_event(top_up, kind="async_payment_succeeded", id="evt_2")) == (
        "applied"
    )
    assert balance(carol) == 500


@pytest.mark.parametrize(
    ("kind", "status"), [("async_payment_failed", "failed"), ("expired", "expired")]
)
def test_a_checkout_that_ends_unpaid_closes_the_top_up(
    client: Client, carol: User, top_up: TopUp, kind: str, status: str
) -> None:
    assert told(client, checkout_event(top_up, kind=kind)) == "applied"

    top_up.refresh_from_db()
    assert (top_up.status, balance(carol)) == (status, 0)


def test_an_end_that_arrives_after_the_payment_changes_nothing(
    client: Client, carol: User, top_up: TopUp
) -> None:
    told(client, checkout_event(top_up))

    assert told(client, checkout_event(top_up, kind="expired", id="evt_2")) == "ignored"
    assert balance(carol) == 500


def test_a_payment_after_expiry_is_credited(client: Client, carol: User, top_up: TopUp) -> None:
    TopUp.objects.update(expires_at="2020-01-01T00:00:00Z")
    expire_top_ups()

    assert told(client, checkout_event(top_up)) == "applied"
    assert balance(carol) == 500


def test_a_second_payment_of_one_top_up_is_shown_to_operators(
    client: Client, carol: User, top_up: TopUp
) -> None:
    told(client, checkout_event(top_up))

    again = checkout_event(top_up, id="evt_2", payment_intent="pi_2")

    assert told(client, again) == "paid_twice"
    assert balance(carol) == 500


def test_a_payment_of_somebody_elses_system_is_left_alone(
    client: Client, carol: User, top_up: TopUp
) -> None:
    assert told(client, checkout_event(top_up, metadata={})) == "unknown"
    assert told(client, checkout_event(top_up, id="evt_2", metadata={"top_up": "7"})) == "unknown"
    assert balance(carol) == 0


def test_an_event_nobody_asked_for_is_answered_and_not_kept(
    client: Client, stripe_stub: StripeStub, db: None
) -> None:
    assert told(client, event("customer.created", id="evt_9")) == "ignored"
    assert not ProviderEvent.objects.exists()


def refund(client: Client, number: int, cents: int, status: str = "succeeded") -> str:
    kind = {"failed": "refund.failed"}.get(status, "refund.created")
    thing = {"object": "refund", "payment_intent": "pi_1", "amount": cents, "status": status}
    return told(
        client, event(kind, id=f"evt_re_{number}_{status}") | _object(f"re_{number}", thing)
    )


def dispute(client: Client, status: str) -> str:
    kind = "charge.dispute.closed" if status in {"won", "lost"} else "charge.dispute.created"
    thing = {"object": "dispute", "payment_intent": "pi_1", "amount": 500, "status": status}
    return told(client, event(kind, id=f"evt_dp_{status}") | _object("dp_1", thing))


def _object(id: str, thing: dict[str, Any]) -> dict[str, Any]:
    return {"data": {"object": {"id": id, **thing}}}


def test_refunds_at_the_provider_arrive_as_reversals(
    client: Client, carol: User, top_up: TopUp
) -> None:
    told(client, checkout_event(top_up))

    assert [refund(client, 1, 200), refund(client, 1, 200), refund(client, 2, 100)] == [
        "applied",
        "repeated",
        "applied",
    ]

    assert balance(carol) == 200
    assert not any(run_checks().values())


def test_a_refund_that_fails_gives_the_credits_back(
    client: Client, carol: User, top_up: TopUp
) -> None:
    told(client, checkout_event(top_up))
    refund(client, 1, 200)

    refund(client, 1, 200, "failed")

    assert balance(carol) == 500
    assert not PaymentReversal.objects.get().is_active


def test_a_dispute_takes_the_credits_and_a_won_one_returns_them(
    client: Client, carol: User, top_up: TopUp
) -> None:
    told(client, checkout_event(top_up))

    assert dispute(client, "warning_needs_response") == "ignored"
    assert balance(carol) == 500
    dispute(client, "needs_response")
    assert balance(carol) == 0
    dispute(client, "won")
    assert balance(carol) == 500
    kinds = LedgerEntry.objects.order_by("id").values_list("kind", "amount")
    assert list(kinds) == [("top_up", 500), ("reversal", -500), ("reversal", 500)]


def test_a_refund_that_arrives_before_its_payment_is_settled_with_it(
    client: Client, carol: User, top_up: TopUp
) -> None:
    assert refund(client, 1, 500) == "unknown"

    told(client, checkout_event(top_up))

    assert balance(carol) == 0
    assert not any(run_checks().values())


def test_a_signed_event_that_cannot_be_read_is_kept_and_may_be_sent_again(
    client: Client, carol: User, top_up: TopUp
) -> None:
    broken = checkout_event(top_up)
    del broken["data"]["object"]["amount_total"]

    assert told(client, broken) == "refused"
    assert ProviderEvent.objects.get().outcome == "refused"
    assert told(client, checkout_event(top_up)) == "applied"
    assert balance(carol) == 500


@pytest.mark.parametrize("name", ["stripe", "bitcoin"])
def test_without_keys_stripe_is_absent(
    carol: User, api: Callable[[User], APIClient], name: str
) -> None:
    answer = api(carol).post(
        "/api/v1/wallet/top-ups", {"amount": 5, "provider": name}, format="json"
    )

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert "demo, manual" in answer.json()["detail"]


def test_an_operator_does_not_decide_a_card_payment(
    carol: User, top_up: TopUp, staff: User
) -> None:
    with pytest.raises(ProviderDecides):
        approve_top_up(top_up_id=top_up.pk, note="", actor_id=staff.pk)
    with pytest.raises(ProviderDecides):
        decline_top_up(top_up_id=top_up.pk, note="No", actor_id=staff.pk)

    top_up.refresh_from_db()
    assert (top_up.status, balance(carol)) == ("pending", 0)
