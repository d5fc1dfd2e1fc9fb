"""How a top-up begins and ends without being paid; the credit itself is `services.pay_top_up`."""

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from billing.errors import InvalidAmount, ProviderUnknown
from billing.models import MAX_AMOUNT, TopUp, Wallet
from billing.services import lock_wallet, pay_top_up
from mlservice.lib.idempotency import NO_KEY, IdempotencyKey, patience, replayed


def start_top_up(
    *, wallet: Wallet, amount: int, provider: str = "", key: IdempotencyKey = NO_KEY
) -> TopUp:
    """Begin a top-up: the demo provider pays at once, the manual one waits for an operator.

    amount: whole credits. A key that was used before gives the top-up it began, with
    `is_replayed` set. Raise InvalidAmount outside the limits, ProviderUnknown for a provider
    that is not enabled, IdempotencyMismatch for a key that came with another body.
    """
    earlier = TopUp.objects.filter(wallet=wallet)
    if found := replayed(earlier, key):
        return found
    check_amount(amount)
    provider = check_provider(provider)
    with patience(key), transaction.atomic():
        lock_wallet(wallet_id=wallet.pk)
        if found := replayed(earlier, key):
            return found
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
        if provider == "demo":
            return pay_top_up(top_up_id=top_up.pk, note="Demo payment")
    top_up.refresh_from_db()
    return top_up


def check_amount(amount: int) -> None:
    """Raise InvalidAmount unless the amount lies within the limits of one top-up."""
    low, high = settings.TOP_UP_MIN_CREDITS, min(settings.TOP_UP_MAX_CREDITS, MAX_AMOUNT)
    if not low <= amount <= high:
        limits = f"A top-up is {low} to {high} credits."
        wrong = {"field": "amount", "code": "range", "message": limits}
        raise InvalidAmount(limits, errors=[wrong])


def check_provider(provider: str) -> str:
    """Give the provider that is meant, the first one when none is named."""
    provider = provider or settings.TOP_UP_PROVIDERS[0]
    if provider not in settings.TOP_UP_PROVIDERS:
        enabled = ", ".join(settings.TOP_UP_PROVIDERS)
        raise ProviderUnknown(f"There is no provider {provider!r}; choose one of: {enabled}.")
    return provider


def expire_top_ups() -> int:
    """Close what nobody paid in time; return how many. A late payment is still credited."""
    late = TopUp.objects.filter(status=TopUp.Status.PENDING, expires_at__lt=Now())
    return late.update(status=TopUp.Status.EXPIRED, resolved_at=Now())
