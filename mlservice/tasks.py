"""Duties that need several apps, and what every worker node shows of itself."""

from functools import lru_cache
from typing import Any

import structlog
from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from celery import shared_task
from celery.signals import (
    task_failure,
    task_postrun,
    task_prerun,
    worker_process_shutdown,
    worker_ready,
)
from django.conf import settings
from django.db import connections
from prometheus_client import Counter, Gauge

from mlservice import removal
from mlservice.audit import audit
from mlservice.lib import tracing
from mlservice.lib.metrics import exposing
from mlservice.lib.metrics.counting import COUNTED, Counts
from mlservice.lib.metrics.processes import Processes
from mlservice.lib.queues import DUTY_SECONDS
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
    pruned = removal.prune(seconds=DUTY_SECONDS)
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


duties_total = Counter(
    "mlservice_duties", "Duties that ran.", ["duty", "outcome"], registry=COUNTED
)
memory_limit_bytes = Gauge(
    "mlservice_worker_memory_limit_bytes",
    "What a child may take before it is replaced; 0 means no limit.",
    registry=COUNTED,
    multiprocess_mode="livemax",
)
DUTIES = frozenset(duty["task"] for duty in settings.CELERY_BEAT_SCHEDULE.values())
# There from the beginning: of a count that begins with 1, the first would not be seen.
for duty in DUTIES:
    for outcome in ("done", "failed"):
        duties_total.labels(duty, outcome)


@worker_ready.connect
def show_metrics(**_: Any) -> None:
    """Let Prometheus ask the node's main process, which answers for its children too."""
    memory_limit_bytes.set(settings.WORKER_MAX_MEMORY_MB * 1_048_576)
    exposing.serve(exposing.registry_of(Counts(), Processes()))


@task_prerun.connect
def leave_broken_connections(task: Any, **_: Any) -> None:
    """Open anew what an earlier task left broken: tasks keep their connections for long.

    A duty has its connection tried as well, for its next turn may be a night away.
    """
    for one in connections.all(initialized_only=True):
        if one.errors_occurred or task.name in DUTIES:
            one.close_if_unusable_or_obsolete()


@task_postrun.connect
def count_duty(task: Any, state: str, **_: Any) -> None:
    if task.name in DUTIES:
        duties_total.labels(task.name, "done" if state == "SUCCESS" else "failed").inc()


@task_failure.connect
def count_killed_duty(sender: Any, task_id: str, exception: BaseException, **_: Any) -> None:
    """Count, in the node's main process, a duty that ended together with its child."""
    is_killed = isinstance(exception, TimeLimitExceeded | WorkerLostError)
    if is_killed and sender.name in DUTIES:
        _count_once(sender.name, task_id)


# Celery tells twice of a task that is ended by its time limit.
@lru_cache(maxsize=100)
def _count_once(duty: str, task_id: str) -> None:
    duties_total.labels(duty, "failed").inc()


@worker_process_shutdown.connect
def flush_traces(**_: Any) -> None:
    """Send the last spans of a child, which ends without Python's own farewell."""
    tracing.flush()
