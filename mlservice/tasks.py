"""Duties that need several apps."""

import structlog
from celery import shared_task

from mlservice import removal
from mlservice.audit import audit
from mlservice.removal import remove_what_leavers_sent

logger = structlog.get_logger(__name__)

# Millions of entries take longer than any prediction may.
AUDIT_SECONDS = 900


@shared_task(
    name="mlservice.audit_ledger", time_limit=AUDIT_SECONDS, soft_time_limit=AUDIT_SECONDS - 10
)
def audit_ledger() -> None:
    """Check the books; a difference stands in the log as an error, rule by rule."""
    run = audit()
    broken = {name: count for name, count in run.counts.items() if count}
    if broken:
        logger.error("ledger_differs", ledger_drift=run.drift, **broken)
    else:
        logger.info("ledger_clean", ledger_drift=0, seconds=run.seconds)


@shared_task(name="mlservice.prune", time_limit=300, soft_time_limit=290)
def prune() -> None:
    """Remove what is past its time, for as long as letters may wait."""
    pruned = removal.prune(seconds=removal.RUN_SECONDS)
    if pruned != removal.Pruned():
        logger.info(
            "pruned",
            predictions=pruned.predictions,
            sign_ins=pruned.sign_ins,
            sessions=pruned.sessions,
            is_whole=pruned.is_whole,
        )


@shared_task(name="mlservice.remove_what_leavers_sent", time_limit=120, soft_time_limit=110)
def remove_data_of_closed_accounts() -> None:
    """Remove rows and results of closed accounts, slice by slice."""
    if done := remove_what_leavers_sent():
        logger.info("data_of_closed_accounts_removed", accounts=done)
