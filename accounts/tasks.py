"""Nightly duties of accounts."""

from celery import shared_task
from django.core.management import call_command


@shared_task(name="accounts.flush_expired_tokens", time_limit=300, soft_time_limit=290)
def flush_expired_tokens() -> None:
    """Delete refresh tokens that are past their time."""
    call_command("flushexpiredtokens")
