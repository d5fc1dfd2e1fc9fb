"""What a payment provider's events do: each is applied once, whatever it says and however often.

An event whose signature holds is never refused, or the provider would repeat it for days: what
cannot be applied is kept with the reason, and operators are written to, once.
"""

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any
from uuid import UUID

import structlog
from django.db import DatabaseError, OperationalError, transaction

from billing.errors import TopUpAlreadyResolved
from billing.letters import tell_operators_of_event
from billing.models import ProviderEvent, TopUp
from billing.services import pay_top_up, record_reversal, reject_top_up
from billing.top_ups import expire_top_up
from mlservice.lib.errors import DomainError

logger = structlog.get_logger(__name__)

Outcome = ProviderEvent.Outcome
Thing = Mapping[str, Any]

PROVIDER = "stripe"
# A refund that was only begun is out of our hands already; these two are back in them.
UNDONE_REFUNDS = {"failed", "canceled"}
# An inquiry moves no money yet. A dispute that is won, or prevented, gives it back.
INQUIRIES = {"warning_needs_response", "warning_under_review", "warning_closed"}
UNDONE_DISPUTES = {"won", "prevented"}
FOR_A_PERSON = {Outcome.DIFFERS, Outcome.PAID_TWICE, Outcome.REFUSED}
# What a body that is not as Stripe describes it makes of its handler.
UNREADABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, DatabaseError)


@transaction.atomic
def apply_event(event: Any) -> str:
    """Apply one of Stripe's events and keep what came of it; return that outcome.

    event: as Stripe's API describes it (`id`, `type`, `data.object`), but nothing of it is sure.
    A repeated or concurrent event finds the first one's row and changes nothing.
    """
    kind = _text(event, "type")
    if kind and kind not in HANDLERS:
        return Outcome.IGNORED
    row, is_new = ProviderEvent.objects.get_or_create(
        external_id=_text(event, "id") or _digest(event),
        defaults={"provider": PROVIDER, "kind": kind},
    )
    # A concurrent twin waited for the first one's commit; what was refused may be sent again.
    if not is_new and row.outcome != Outcome.REFUSED:
        return Outcome.REPEATED
    row.outcome, row.detail = _outcome(event)
    row.save(update_fields=["outcome", "detail"])
    if row.outcome in FOR_A_PERSON:
        tell_operators_of_event(row)
    logger.info("payment_event", event_id=row.external_id, kind=row.kind, outcome=row.outcome)
    return row.outcome


def _outcome(event: Any) -> tuple[str, str]:
    """Run its handler in a transaction of its own; a refusal is what came of the event."""
    name = ""
    try:
        thing = event["data"]["object"]
        name = _plain(str(thing.get("id", "")))
        with transaction.atomic():
            return HANDLERS[event["type"]](thing), name
    except DomainError as refusal:
        logger.exception("payment_event_refused", thing=name)
        return Outcome.REFUSED, _plain(f"{name}: {refusal.in_english}")
    except OperationalError:
        # The database is away: answered 503, and the provider sends it again.
        raise
    except UNREADABLE as error:
        logger.exception("payment_event_unreadable", thing=name)
        return Outcome.REFUSED, _plain(f"{name}: {error!r}")


def _text(event: Any, field: str) -> str:
    """Give a field of an event, or nothing when it is not a text that can be kept."""
    value = event.get(field) if isinstance(event, Mapping) else None
    return value if isinstance(value, str) and value == _plain(value) else ""


def _digest(event: Any) -> str:
    """Name an event that has no usable id, the same whenever it comes."""
    return "unnamed-" + sha256(ascii(event).encode()).hexdigest()


def _plain(text: str) -> str:
    """Leave out what the database cannot keep in a line."""
    return "".join(sign for sign in text if sign.isprintable())[:255]


def _checkout_paid(session: Thing) -> str:
    """Credit a checkout that is paid; one that is only completed is waited for."""
    if session["payment_status"] != "paid":
        return Outcome.IGNORED
    top_up = _top_up_of(session)
    if top_up is None:
        return Outcome.UNKNOWN
    paid = (session["amount_total"], session["currency"].upper())
    if paid != (top_up.cents, top_up.currency):
        logger.error("payment_differs", top_up_id=str(top_up.pk), paid=paid)
        return Outcome.DIFFERS
    if not session["payment_intent"]:
        raise ValueError("a paid checkout without a payment: its refunds could not be matched")
    return _pay(top_up, session["payment_intent"])


def _pay(top_up: TopUp, payment_id: str) -> str:
    try:
        pay_top_up(top_up_id=top_up.pk, payment_id=payment_id, note="Paid by card")
    except TopUpAlreadyResolved:
        top_up.refresh_from_db()
        # Another payment of the same top-up is money that somebody must give back.
        return Outcome.REPEATED if top_up.payment_id == payment_id else Outcome.PAID_TWICE
    return Outcome.APPLIED


def _checkout_failed(session: Thing) -> str:
    return _close(session, lambda id: reject_top_up(top_up_id=id, note="The payment failed."))


def _checkout_expired(session: Thing) -> str:
    return _close(session, lambda id: expire_top_up(top_up_id=id))


def _close(session: Thing, close: Callable[[UUID], object]) -> str:
    """End a top-up without money, unless it has ended already."""
    top_up = _top_up_of(session)
    if top_up is None:
        return Outcome.UNKNOWN
    try:
        close(top_up.pk)
    except TopUpAlreadyResolved:
        return Outcome.IGNORED
    return Outcome.APPLIED


def _top_up_of(session: Thing) -> TopUp | None:
    """Find the top-up that a checkout names; another system may share the Stripe account."""
    try:
        named = UUID((session.get("metadata") or {}).get("top_up", ""))
    except ValueError:
        return None
    return TopUp.objects.filter(pk=named, provider=PROVIDER).first()


def _refunded(refund: Thing) -> str:
    return _reversed(refund, is_active=refund["status"] not in UNDONE_REFUNDS)


def _disputed(dispute: Thing) -> str:
    if dispute["status"] in INQUIRIES:
        return Outcome.IGNORED
    return _reversed(dispute, is_active=dispute["status"] not in UNDONE_DISPUTES)


def _reversed(thing: Thing, *, is_active: bool) -> str:
    """Take back, or give back, what a refund or dispute moved; its payment may come later."""
    if not thing.get("payment_intent"):
        return Outcome.UNKNOWN
    top_up = record_reversal(
        provider=PROVIDER,
        payment_id=thing["payment_intent"],
        external_id=thing["id"],
        cents=thing["amount"],
        is_active=is_active,
    )
    return Outcome.APPLIED if top_up else Outcome.UNKNOWN


HANDLERS: dict[str, Callable[[Thing], str]] = {
    "checkout.session.completed": _checkout_paid,
    "checkout.session.async_payment_succeeded": _checkout_paid,
    "checkout.session.async_payment_failed": _checkout_failed,
    "checkout.session.expired": _checkout_expired,
    "refund.created": _refunded,
    "refund.updated": _refunded,
    "refund.failed": _refunded,
    "charge.refund.updated": _refunded,
    "charge.dispute.created": _disputed,
    "charge.dispute.updated": _disputed,
    "charge.dispute.funds_withdrawn": _disputed,
    "charge.dispute.funds_reinstated": _disputed,
    "charge.dispute.closed": _disputed,
}
