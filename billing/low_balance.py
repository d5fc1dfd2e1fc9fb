"""The only place that warns of a low balance: once when it falls, and again after it recovered.

A crossing is marked by compare-and-set on `low_balance_told_at`: of two duties that look at
once, the second finds the mark when it gets the row. Rows are locked in id order, as everywhere.
"""

from django.db import connection, transaction
from django.db.models import Case, DateTimeField, F, Q, Value, When
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from billing import letters
from billing.errors import InvalidAmount
from billing.models import MAX_AMOUNT, Wallet

# Wallets in one transaction: their rows stay locked while the letters are written.
WALLETS_A_TURN = 100
TURNS_A_RUN = 100

MARK_FALLEN = """
UPDATE billing_wallet
SET low_balance_told_at = statement_timestamp(), low_balance_seen_at = NULL
WHERE id IN (
    SELECT id FROM billing_wallet
    WHERE low_balance_threshold IS NOT NULL
      AND balance < low_balance_threshold
      AND low_balance_told_at IS NULL
    ORDER BY id LIMIT %s FOR UPDATE
)
RETURNING id
"""

CLEAR_RECOVERED = """
UPDATE billing_wallet
SET low_balance_told_at = NULL, low_balance_seen_at = NULL
WHERE id IN (
    SELECT id FROM billing_wallet
    WHERE low_balance_told_at IS NOT NULL
      AND (low_balance_threshold IS NULL OR balance >= low_balance_threshold)
    ORDER BY id FOR UPDATE
)
"""


def look_at_balances() -> int:
    """Forget the crossings that recovered and tell of the new ones; return how many were told."""
    with connection.cursor() as cursor:
        cursor.execute(CLEAR_RECOVERED)
    told = 0
    for _turn in range(TURNS_A_RUN):
        turn = tell_fallen()
        told += turn
        if turn < WALLETS_A_TURN:
            break
    return told


def tell_fallen() -> int:
    """Mark wallets that fell below their threshold, and write to their owners with the mark."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(MARK_FALLEN, [WALLETS_A_TURN])
            ids = [row[0] for row in cursor.fetchall()]
        if ids:
            letters.tell_low_balances(Wallet.objects.filter(pk__in=ids).select_related("user"))
    return len(ids)


def set_low_balance_threshold(*, wallet_id: int, threshold: int | None) -> None:
    """Say below which balance to warn; None: never.

    Who was told and is still below the new threshold is not told again; any other is told at
    the next fall.
    """
    if threshold is not None and not 1 <= threshold <= MAX_AMOUNT:
        raise InvalidAmount(_("A threshold is 1 to {most} credits."), most=MAX_AMOUNT)
    still_low = Q(balance__lt=threshold) if threshold is not None else Q(pk__in=[])
    nothing = Value(None, output_field=DateTimeField())
    Wallet.objects.filter(pk=wallet_id).update(
        low_balance_threshold=threshold,
        low_balance_told_at=Case(When(still_low, then=F("low_balance_told_at")), default=nothing),
        low_balance_seen_at=Case(When(still_low, then=F("low_balance_seen_at")), default=nothing),
    )


def dismiss_low_balance(*, wallet_id: int) -> None:
    """Note that the client has seen the warning of this crossing."""
    untouched = Wallet.objects.filter(pk=wallet_id, low_balance_seen_at__isnull=True)
    untouched.filter(low_balance_told_at__isnull=False).update(low_balance_seen_at=Now())
