"""How a top-up begins and ends without being paid; the credit itself is `services.pay_top_up`."""

from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from billing import letters
from billing.errors import (
    InvalidAmount,
    OwnerDisabled,
    ProviderDecides,
    TooManyPendingTopUps,
    TopUpAlreadyResolved,
)
from billing.models import MAX_AMOUNT, TopUp, Wallet
from billing.providers import PROVIDERS, check_provider
from billing.services import check_reason, lock_wallet, pay_top_up, reject_top_up
from mlservice.lib.idempotency import NO_KEY, IdempotencyKey, patience, replayed


def start_top_up(
    *, wallet: Wallet, amount: int, provider: str = "", key: IdempotencyKey = NO_KEY
) -> TopUp:
    """Begin a top-up through a provider; what happens next is the provider's.

    amount: whole credits. A key that was used before gives the top-up it began, with
    `is_replayed` set. Raise InvalidAmount outside the limits, ProviderUnknown for a provider
    that is not enabled, OwnerDisabled, TooManyPendingTopUps while as many wait as may,
    IdempotencyMismatch for a key that came with another body, PaymentProviderAway when its
    checkout cannot be opened now: it stays pending, and the same key opens it later.
    """
    earlier = TopUp.objects.filter(wallet=wallet)
    if found := replayed(earlier, key):
        return opened(found)
    check_amount(amount)
    provider = check_provider(provider)
    with patience(key), transaction.atomic():
        # Its owner may have closed the account since the request began.
        if not lock_wallet(wallet_id=wallet.pk).user.is_active:
            raise OwnerDisabled
        if found := replayed(earlier, key):
            return found
        check_pending(wallet)
        top_up = TopUp.objects.create(
            wallet=wallet,
            amount=amount,
            cents=amount * settings.CREDIT_PRICE_CENTS,
            currency=settings.CURRENCY,
            provider=provider,
            expires_at=Now() + timedelta(hours=settings.TOP_UP_EXPIRES_HOURS),
            idempotency_key=key.value,
            fingerprint=key.fingerprint,
        )
        PROVIDERS[provider].accept(top_up)
    return opened(top_up)


def opened(top_up: TopUp) -> TopUp:
    """Let the provider open its checkout, outside any transaction; give the top-up as it is now."""
    is_replayed = top_up.is_replayed
    top_up.refresh_from_db()
    PROVIDERS[top_up.provider].open_checkout(top_up)
    top_up.refresh_from_db()
    top_up.is_replayed = is_replayed
    return top_up


def approve_top_up(*, top_up_id: UUID, note: str, actor_id: int) -> TopUp:
    """Pay a top-up that waits for an operator, and write to the client. The note may be empty.

    Raise ProviderDecides for one that a provider reports itself.
    """
    check_decidable(top_up_id)
    with transaction.atomic():
        top_up = pay_top_up(top_up_id=top_up_id, note=note.strip()[:200], actor_id=actor_id)
        letters.tell_client(top_up, "top_up_approved")
    return top_up


def decline_top_up(*, top_up_id: UUID, note: str, actor_id: int) -> TopUp:
    """Reject a top-up that waits for an operator, and write to the client why."""
    note = check_reason(note)
    check_decidable(top_up_id)
    with transaction.atomic():
        top_up = reject_top_up(top_up_id=top_up_id, note=note, actor_id=actor_id)
        letters.tell_client(top_up, "top_up_rejected")
    return top_up


def check_decidable(top_up_id: UUID) -> None:
    """Raise ProviderDecides unless it is the operator who says whether a top-up was paid.

    A card payment that an operator credited by hand could not be reversed by its provider.
    """
    provider = TopUp.objects.values_list("provider", flat=True).get(pk=top_up_id)
    if provider != "manual":
        refusal = _("{provider} reports its payments itself; wait for that.")
        raise ProviderDecides(format_lazy(refusal, provider=provider))


def check_amount(amount: int) -> None:
    """Raise InvalidAmount unless the amount lies within the limits of one top-up."""
    low, high = settings.TOP_UP_MIN_CREDITS, min(settings.TOP_UP_MAX_CREDITS, MAX_AMOUNT)
    if not low <= amount <= high:
        limits = format_lazy(_("A top-up is {low} to {high} credits."), low=low, high=high)
        wrong = {"field": "amount", "code": "range", "message": limits}
        raise InvalidAmount(limits, errors=[wrong])


def check_pending(wallet: Wallet) -> None:
    """Raise TooManyPendingTopUps when a locked wallet can have no other top-up that waits.

    Each may write to every operator, so that a client must not begin them without end.
    """
    pending = wallet.top_ups.filter(status=TopUp.Status.PENDING).count()
    if pending >= settings.MAX_PENDING_TOP_UPS:
        raise TooManyPendingTopUps(pending=pending)


def expire_top_up(*, top_up_id: UUID) -> None:
    """Close a top-up that its provider gave up. Raise TopUpAlreadyResolved when it has ended."""
    pending = TopUp.objects.filter(pk=top_up_id, status=TopUp.Status.PENDING)
    if not pending.update(status=TopUp.Status.EXPIRED, resolved_at=Now()):
        raise TopUpAlreadyResolved(_("This top-up has ended already."))


def expire_top_ups() -> int:
    """Close what nobody paid in time; return how many. A late payment is still credited."""
    late = TopUp.objects.filter(status=TopUp.Status.PENDING, expires_at__lt=Now())
    return late.update(status=TopUp.Status.EXPIRED, resolved_at=Now())
