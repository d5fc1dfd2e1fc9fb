"""The only writer of money. Every path locks the wallet row first, then acts, in one transaction.

Lock order everywhere: wallets by id, then predictions by id, then holds.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from billing.errors import (
    InsufficientCredits,
    InvalidAmount,
    NotSignedIn,
    ProviderUnknown,
    TopUpAlreadyResolved,
)
from billing.models import MAX_AMOUNT, Hold, LedgerEntry, TopUp, Wallet


@dataclass(frozen=True, slots=True)
class Resolution:
    """How one hold ends: `captured` credits of it are charged, the rest is released."""

    hold_id: int
    captured: int


def open_wallet(*, user_id: int) -> Wallet:
    """Open a user's wallet, once, with the sign-up grant when the settings give one."""
    with transaction.atomic():
        wallet, is_new = Wallet.objects.get_or_create(user_id=user_id)
        if is_new and settings.SIGNUP_CREDITS:
            _apply(
                wallet=lock_wallet(wallet_id=wallet.pk),
                kind=LedgerEntry.Kind.GRANT,
                amount=settings.SIGNUP_CREDITS,
                reference=("sign_up", str(user_id)),
                reason="Sign-up credits",
            )
    return wallet


def wallet_of(user_id: int | None) -> Wallet:
    """Give the user's wallet, opening it when missing (a superuser made on the command line).

    Raise NotSignedIn for nobody's id, which a request without a user has.
    """
    if user_id is None:
        raise NotSignedIn
    wallet = Wallet.objects.filter(user_id=user_id).first()
    return wallet or open_wallet(user_id=user_id)


def lock_wallet(*, wallet_id: int) -> Wallet:
    """Lock the wallet's row until the transaction ends, and read it as it is now."""
    return Wallet.objects.select_for_update(of=("self",)).get(pk=wallet_id)


def lock_wallets(*, hold_ids: Sequence[int]) -> None:
    """Lock the wallets of these holds in id order, so that settlements cannot deadlock."""
    wallet_ids = Hold.objects.filter(pk__in=hold_ids).values("wallet_id")
    wallets = Wallet.objects.filter(pk__in=wallet_ids).order_by("pk").select_for_update()
    list(wallets.values_list("pk", flat=True))


def place_hold(*, wallet: Wallet, amount: int, reference: tuple[str, str]) -> Hold:
    """Reserve `amount` credits of a wallet that the caller has locked.

    Raise InsufficientCredits with `required` and `available`.
    """
    if amount > wallet.available:
        raise InsufficientCredits(
            f"This needs {amount} credits and {wallet.available} are available. "
            "Top up and send it again.",
            required=amount,
            available=wallet.available,
        )
    Wallet.objects.filter(pk=wallet.pk).update(held=F("held") + amount)
    kind, reference_id = reference
    return Hold.objects.create(
        wallet=wallet, amount=amount, reference_type=kind, reference_id=reference_id
    )


def resolve_holds(resolutions: Iterable[Resolution]) -> None:
    """Capture or release many holds in one statement; a hold that is resolved already stays.

    The caller holds the wallets' locks (`lock_wallets`). A capture writes one ledger entry
    with the reference of its hold, a release writes none.
    """
    ordered = sorted(resolutions, key=lambda resolution: resolution.hold_id)
    with connection.cursor() as cursor:
        cursor.execute(
            RESOLVE_HOLDS,
            [[one.hold_id for one in ordered], [one.captured for one in ordered]],
        )


RESOLVE_HOLDS = """
WITH outcome AS (
    SELECT * FROM unnest(%s::bigint[], %s::bigint[]) AS outcome (hold_id, captured)
), resolved AS (
    UPDATE billing_hold AS hold
    SET status = CASE WHEN outcome.captured > 0 THEN 'captured' ELSE 'released' END,
        captured = outcome.captured,
        resolved_at = statement_timestamp()
    FROM outcome
    WHERE hold.id = outcome.hold_id AND hold.status = 'held'
    RETURNING hold.id, hold.wallet_id, hold.amount, hold.captured,
              hold.reference_type, hold.reference_id
), total AS (
    SELECT wallet_id, sum(amount) AS amount, sum(captured) AS captured
    FROM resolved GROUP BY wallet_id
), charged AS (
    UPDATE billing_wallet AS wallet
    SET balance = wallet.balance - total.captured, held = wallet.held - total.amount
    FROM total
    WHERE wallet.id = total.wallet_id
    RETURNING wallet.id, wallet.balance + total.captured AS balance_before
)
INSERT INTO billing_ledgerentry
    (wallet_id, kind, amount, balance_after, reason, reference_type, reference_id)
SELECT resolved.wallet_id, 'capture', -resolved.captured,
       charged.balance_before
           - sum(resolved.captured) OVER (PARTITION BY resolved.wallet_id ORDER BY resolved.id),
       '', resolved.reference_type, resolved.reference_id
FROM resolved JOIN charged ON charged.id = resolved.wallet_id
WHERE resolved.captured > 0
ORDER BY resolved.id
"""


def start_top_up(*, wallet: Wallet, amount: int, provider: str = "") -> TopUp:
    """Begin a top-up: the demo provider pays at once, the manual one waits for an operator.

    amount: whole credits. Raise InvalidAmount outside the limits, ProviderUnknown for a
    provider that is not enabled.
    """
    check_amount(amount)
    provider = provider or settings.TOP_UP_PROVIDERS[0]
    if provider not in settings.TOP_UP_PROVIDERS:
        enabled = ", ".join(settings.TOP_UP_PROVIDERS)
        raise ProviderUnknown(f"There is no provider {provider!r}; choose one of: {enabled}.")
    with transaction.atomic():
        top_up = TopUp.objects.create(wallet=wallet, amount=amount, provider=provider)
        if provider == "demo":
            return pay_top_up(top_up_id=top_up.pk, note="Demo payment")
    return top_up


def check_amount(amount: int) -> None:
    """Raise InvalidAmount unless the amount lies within the limits of one top-up."""
    low, high = settings.TOP_UP_MIN_CREDITS, min(settings.TOP_UP_MAX_CREDITS, MAX_AMOUNT)
    if not low <= amount <= high:
        raise InvalidAmount(f"A top-up is {low} to {high} credits.")


def pay_top_up(*, top_up_id: UUID, note: str = "", actor_id: int | None = None) -> TopUp:
    """Mark a pending top-up paid and credit its wallet.

    Raise TopUpAlreadyResolved when it is not pending any more; nothing is credited then.
    """
    with transaction.atomic():
        wallet = lock_wallet(wallet_id=_wallet_id_of(top_up_id))
        top_up = _resolve_top_up(top_up_id, TopUp.Status.PAID, note, actor_id)
        _apply(
            wallet=wallet,
            kind=LedgerEntry.Kind.TOP_UP,
            amount=top_up.amount,
            reference=("top_up", str(top_up.pk)),
            actor_id=actor_id,
            reason=note,
        )
    return top_up


def reject_top_up(*, top_up_id: UUID, note: str, actor_id: int) -> TopUp:
    """Close a pending top-up without crediting anything."""
    with transaction.atomic():
        return _resolve_top_up(top_up_id, TopUp.Status.FAILED, note, actor_id)


def _wallet_id_of(top_up_id: UUID) -> int:
    return TopUp.objects.values_list("wallet_id", flat=True).get(pk=top_up_id)


def _resolve_top_up(top_up_id: UUID, status: str, note: str, actor_id: int | None) -> TopUp:
    """Move a top-up out of `pending` by compare-and-set, so that it happens once."""
    pending = TopUp.objects.filter(pk=top_up_id, status=TopUp.Status.PENDING)
    changed = pending.update(status=status, note=note, resolved_by_id=actor_id, resolved_at=Now())
    top_up = TopUp.objects.get(pk=top_up_id)
    if not changed:
        raise TopUpAlreadyResolved(f"This top-up is {top_up.get_status_display()} already.")
    return top_up


def _apply(
    *,
    wallet: Wallet,
    kind: str,
    amount: int,
    reference: tuple[str, str],
    reason: str = "",
    actor_id: int | None = None,
) -> LedgerEntry:
    """Move a locked wallet's balance by a signed amount and write the entry beside it."""
    wallet.balance += amount
    Wallet.objects.filter(pk=wallet.pk).update(balance=F("balance") + amount)
    reference_type, reference_id = reference
    return LedgerEntry.objects.create(
        wallet=wallet,
        kind=kind,
        amount=amount,
        balance_after=wallet.balance,
        actor_id=actor_id,
        reason=reason,
        reference_type=reference_type,
        reference_id=reference_id,
    )
