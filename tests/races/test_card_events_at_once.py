"""Stripe repeats its events and sends them side by side: the money still moves once."""

from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError
from django.db.models.functions import Now
from django.test import Client

from billing import services as billing
from billing.models import LedgerEntry, ProviderEvent, TopUp, Wallet
from billing.services import wallet_of
from billing.top_ups import start_top_up
from tests.billing.stripe_stub import SECRET, checkout_event, event, signed
from tests.conftest import make_user
from tests.races.threads import at_once, meeting, results

REPORTS = 32


@pytest.fixture
def top_up(settings: Any) -> TopUp:
    settings.STRIPE_WEBHOOK_SECRET = SECRET
    carol = make_user("carol")
    waiting = start_top_up(wallet=wallet_of(carol.pk), amount=500, provider="manual")
    TopUp.objects.update(provider="stripe")
    return waiting


def tell(what: dict[str, Any]) -> str:
    answer = Client(raise_request_exception=False).post("/api/v1/webhooks/stripe", **signed(what))
    return str(answer.json()["outcome"]) if answer.status_code == 200 else "failed"


def test_32_deliveries_of_one_event_credit_once(top_up: TopUp) -> None:
    outcomes = results(at_once([partial(tell, checkout_event(top_up))] * REPORTS))

    assert sorted(outcomes) == ["applied"] + ["repeated"] * (REPORTS - 1)
    assert top_up.wallet.entries.count() == 1
    assert ProviderEvent.objects.count() == 1


def test_32_events_about_one_payment_credit_once(top_up: TopUp) -> None:
    told = [checkout_event(top_up, id=f"evt_{number}") for number in range(REPORTS)]

    outcomes = results(at_once([partial(tell, one) for one in told]))

    assert sorted(outcomes) == ["applied"] + ["repeated"] * (REPORTS - 1)
    assert top_up.wallet.entries.count() == 1


def test_without_the_compare_and_set_both_credit_and_only_the_constraint_refuses(
    top_up: TopUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    both_have_read = meeting(2)

    def resolve_what_looks_pending(top_up_id: Any, *_: Any, **__: Any) -> TopUp:
        found = TopUp.objects.get(pk=top_up_id)
        assert found.status == TopUp.Status.PENDING
        both_have_read()
        TopUp.objects.filter(pk=top_up_id).update(status="paid", resolved_at=Now())
        return found

    def look_without_locking(*, wallet_id: int) -> Any:
        return Wallet.objects.get(pk=wallet_id)

    monkeypatch.setattr(billing, "_resolve_top_up", resolve_what_looks_pending)
    monkeypatch.setattr(billing, "_lock_payment", lambda _: None)
    monkeypatch.setattr(billing, "_settle_reversals", lambda *_: None)
    monkeypatch.setattr(billing, "lock_wallet", look_without_locking)
    pay = partial(billing.pay_top_up, top_up_id=top_up.pk, payment_id="pi_1")

    answers = at_once([pay] * 2)

    assert sorted(type(answer).__name__ for answer in answers) == ["IntegrityError", "TopUp"]
    refused = next(answer for answer in answers if isinstance(answer, IntegrityError))
    assert "ledger_entry_applies_once" in str(refused)


def test_a_payment_and_its_refund_side_by_side_end_even(top_up: TopUp) -> None:
    refund = event("refund.created", id="evt_re")
    refund["data"] = {
        "object": {"id": "re_1", "payment_intent": "pi_1", "amount": 500, "status": "succeeded"}
    }

    at_once([partial(tell, one) for one in [checkout_event(top_up), refund] * 8])

    amounts = LedgerEntry.objects.order_by("id").values_list("amount", flat=True)
    assert list(amounts) == [500, -500]
    assert wallet_of(top_up.wallet.user_id).balance == 0
