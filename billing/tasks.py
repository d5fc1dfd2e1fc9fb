"""Billing's duties: what is closed when its time has passed."""

from celery import shared_task

from billing.top_ups import expire_top_ups


@shared_task(name="billing.expire_top_ups", time_limit=60, soft_time_limit=50)
def expire_unpaid_top_ups() -> None:
    """Expire top-ups that nobody paid in time."""
    expire_top_ups()
