"""Nightly duties that need several apps."""

from celery import shared_task
from django.core.management import call_command


@shared_task(name="mlservice.audit_ledger", queue="duties")
def audit_ledger() -> None:
    """Check the books; a difference fails the task and stands in the log."""
    call_command("audit_ledger")
