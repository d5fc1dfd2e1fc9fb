"""The payment by card: the only place that talks to Stripe, and that believes its events."""

import json
from datetime import timedelta
from functools import lru_cache
from importlib import import_module
from typing import Any

import structlog
from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from billing.errors import PaymentProviderAway, UnsignedEvent
from billing.models import TopUp
from billing.services import reject_top_up

logger = structlog.get_logger(__name__)

# A request waits for this; a thread that hangs on a dead provider serves nobody.
TIMEOUT_SECONDS = 10
RETRIES = 1
# Stripe allows a Checkout session 30 minutes to 24 hours.
CHECKOUT_OPEN = timedelta(hours=23)


def library() -> Any:
    """Return Stripe's library, loaded at the first payment by card: it takes 18 MB a process."""
    return import_module("stripe")


class Stripe:
    title = _("Card, through Stripe")
    what_next = _(
        "You pay by card on Stripe's page. The credits come as soon as Stripe reports the payment, "
        "mostly within a minute."
    )

    def accept(self, top_up: TopUp) -> None:
        """The money comes by an event, so nothing happens here."""

    def open_checkout(self, top_up: TopUp) -> None:
        """Ask Stripe for the page on which the client pays, once for each top-up.

        What Stripe refuses for good fails the top-up with its reason. Raise
        PaymentProviderAway when it does not answer; the same request may be sent again.
        """
        if top_up.status != TopUp.Status.PENDING or top_up.external_id:
            return
        try:
            session = client().v1.checkout.sessions.create(
                checkout(top_up), {"idempotency_key": str(top_up.pk)}
            )
        except (library().InvalidRequestError, library().CardError) as refusal:
            logger.warning("stripe_refused_checkout", top_up_id=str(top_up.pk), error=str(refusal))
            reject_top_up(top_up_id=top_up.pk, note=str(refusal.user_message or refusal)[:200])
        except library().StripeError as failure:
            logger.warning("stripe_away", top_up_id=str(top_up.pk), error=str(failure))
            raise PaymentProviderAway(
                _("The payment provider does not answer. Nothing was paid; try again in a moment.")
            ) from failure
        else:
            TopUp.objects.filter(pk=top_up.pk, external_id=None).update(
                external_id=session.id, checkout_url=session.url or ""
            )


def checkout(top_up: TopUp) -> Any:
    """Describe the page: one line, the price frozen in the top-up, and the way back here."""
    back = settings.SITE_URL + reverse("top_up_page", args=[top_up.pk])
    names_top_up = {"top_up": str(top_up.pk)}
    line = {
        "quantity": 1,
        "price_data": {
            "currency": top_up.currency.lower(),
            "unit_amount": top_up.cents,
            "product_data": {"name": f"{top_up.amount} credits"},
        },
    }
    return {
        "mode": "payment",
        "line_items": [line],
        "client_reference_id": str(top_up.pk),
        "metadata": names_top_up,
        # A payment looked at in Stripe's dashboard then says what it was for.
        "payment_intent_data": {"metadata": names_top_up},
        "success_url": back,
        "cancel_url": back,
        # The same in every try: Stripe refuses a key that comes again with other words.
        "expires_at": int((top_up.created_at + CHECKOUT_OPEN).timestamp()),
    }


@lru_cache
def client() -> Any:
    return library().StripeClient(
        settings.STRIPE_API_KEY,
        max_network_retries=RETRIES,
        http_client=library().RequestsClient(timeout=TIMEOUT_SECONDS),
    )


def read_event(*, body: bytes, signature: str) -> Any:
    """Give what Stripe signed with our secret at most 5 minutes ago; a text if it is no JSON.

    Raise UnsignedEvent for anything else.
    """
    age, secret = library().Webhook.DEFAULT_TOLERANCE, settings.STRIPE_WEBHOOK_SECRET
    try:
        library().WebhookSignature.verify_header(body, signature, secret, age)
    except (ValueError, library().SignatureVerificationError) as error:
        raise UnsignedEvent("The body does not carry Stripe's signature of it.") from error
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return body.decode()
