"""What a client says about the own wallet: how much a month may cost, and when to be warned."""

from django.db import transaction

from billing.low_balance import set_low_balance_threshold
from billing.services import set_spending_cap


def change_limits(*, wallet_id: int, limits: dict[str, int | None]) -> None:
    """Change those limits that are named, all or none; None lifts one."""
    with transaction.atomic():
        if "spending_cap" in limits:
            set_spending_cap(wallet_id=wallet_id, cap=limits["spending_cap"])
        if "low_balance_threshold" in limits:
            set_low_balance_threshold(
                wallet_id=wallet_id, threshold=limits["low_balance_threshold"]
            )
