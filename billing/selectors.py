"""Reads about money that shape or add up: what a wallet may still spend."""

from datetime import UTC, datetime

from django.db.models import Sum

from billing.models import AuditRun, PaymentReversal, TopUp, Wallet
from mlservice.lib.prepared import Statement


def spendable(wallet: Wallet) -> int:
    """Give the credits a new hold may take: none while frozen, else what balance and cap leave."""
    if wallet.is_frozen:
        return 0
    if wallet.spending_cap is None:
        return wallet.available
    return max(0, min(wallet.available, wallet.spending_cap - committed_this_month(wallet)))


def committed_this_month(wallet: Wallet) -> int:
    """Add up what this calendar month (UTC) has charged and what is held for work under way."""
    charged = CHARGED.run(wallet.pk, month_start())
    return wallet.held + (charged[0][0] if charged else 0)


# What there was, and what else moved, less what is left: a million charges are not added up.
CHARGED = Statement(
    "charged_since",
    ["bigint", "timestamptz"],
    """
WITH begun AS (
    SELECT id FROM billing_ledgerentry
    WHERE wallet_id = $1 AND created_at >= $2 ORDER BY created_at, id LIMIT 1
)
SELECT coalesce((SELECT balance_after FROM billing_ledgerentry
                 WHERE wallet_id = $1 AND id < begun.id ORDER BY id DESC LIMIT 1), 0)
       + coalesce((SELECT sum(amount) FROM billing_ledgerentry
                   WHERE wallet_id = $1 AND id >= begun.id AND kind <> 'capture'), 0)::bigint
       - wallet.balance
FROM begun, billing_wallet AS wallet WHERE wallet.id = $1
""",
)


def reversed_cents(top_up: TopUp) -> int:
    """Add up what refunds and disputes take back of a payment now: all of its price at most."""
    if top_up.payment_id is None:
        return 0
    active = PaymentReversal.objects.filter(
        provider=top_up.provider, payment_id=top_up.payment_id, is_active=True
    )
    return min(active.aggregate(total=Sum("cents"))["total"] or 0, top_up.cents)


def month_start() -> datetime:
    """Give the first moment of this calendar month in UTC."""
    return datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def last_audit() -> AuditRun | None:
    """Give the audit that ran last, None before the first."""
    return AuditRun.objects.order_by("-id").first()
