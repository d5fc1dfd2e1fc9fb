"""Nightly duties of accounts."""

from celery import shared_task
from django.core.management import call_command


@shared_task(name="accounts.flush_expired_tokens", queue="duties")
def flush_expired_tokens() -> None:
    """Delete refresh tokens that are past their time."""
    call_command("flushexpiredtokens")
