"""Billing's duties: what is closed when its time has passed, who is warned when credits run low."""

from celery import shared_task

from billing.low_balance import look_at_balances
from billing.top_ups import expire_top_ups


@shared_task(name="billing.expire_top_ups", time_limit=60, soft_time_limit=50)
def expire_unpaid_top_ups() -> None:
    """Expire top-ups that nobody paid in time."""
    expire_top_ups()


@shared_task(name="billing.tell_low_balances", time_limit=60, soft_time_limit=50)
def tell_low_balances() -> None:
    """Warn of balances that fell below their threshold."""
    look_at_balances()
