"""What billing stores: the ledger, purchases of credits, and what operators decide."""

from billing.models.ledger import MAX_AMOUNT, Hold, LedgerEntry, Wallet
from billing.models.operators import AuditRun, PendingAdjustment
from billing.models.top_ups import PaymentReversal, ProviderEvent, TopUp

__all__ = [
    "MAX_AMOUNT",
    "AuditRun",
    "Hold",
    "LedgerEntry",
    "PaymentReversal",
    "PendingAdjustment",
    "ProviderEvent",
    "TopUp",
    "Wallet",
]
