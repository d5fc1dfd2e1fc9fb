"""What a node's main process does at once when a child is lost or runs over its time.

Without it the lease would do the same, up to 40 seconds later; it stays the last guard.
"""

from collections.abc import Callable
from threading import Thread
from typing import Any
from uuid import UUID

import structlog
from billiard.einfo import ExceptionWithTraceback  # type: ignore[attr-defined]
from billiard.exceptions import WorkerLostError
from celery.worker.request import Request
from django.db import Error, connection
from structlog.contextvars import bound_contextvars

from predictions import counting
from predictions.dispatch import end_leases
from predictions.models import Prediction
from predictions.reaping import return_expired_leases
from predictions.services import Outcome, Status, settle

logger = structlog.get_logger(__name__)


class GroupRequest(Request):
    """The main process's view of a group that one of its children predicts."""

    def on_timeout(self, soft: bool, timeout: float) -> None:
        super().on_timeout(soft, timeout)
        if not soft:
            self._in_background(end_overrun)

    def on_failure(self, exc_info: Any, *args: Any, **kwargs: Any) -> None:
        error = exc_info.exception
        if isinstance(error, ExceptionWithTraceback):
            error = error.exc
        # A child that was killed is reported as lost, or as its own exit.
        is_lost = isinstance(error, WorkerLostError | SystemExit)
        super().on_failure(exc_info, *args, **kwargs)
        if is_lost:
            counting.children_lost.inc()
            self._in_background(give_back)

    def _in_background(self, do: Callable[[UUID, str], None]) -> None:
        """Act in a thread: the event loop must not wait for a database that is away."""
        if self.worker_pid is not None:
            holder = claimant(self.hostname, self.worker_pid)
            Thread(target=_run, args=(do, self.id, holder), name="lost-child").start()


def claimant(hostname: Any, pid: Any) -> str:
    """Name the process that holds a claim."""
    return f"{hostname}/{pid}"


def give_back(group_id: UUID, claimed_by: str) -> None:
    """Let another child take over what the lost one had claimed, one by one."""
    if ended := end_leases(group_id=group_id, claimed_by=claimed_by):
        return_expired_leases()
        logger.warning(
            "child_lost", group_id=str(group_id), claimed_by=claimed_by, predictions=ended
        )


def end_overrun(group_id: UUID, claimed_by: str) -> None:
    """Fail what was alone with its time; of several, let each have a time of its own."""
    held = Prediction.objects.filter(
        group_id=group_id, claimed_by=claimed_by, status=Status.PROCESSING
    )
    if len(alone := list(held.values_list("pk", "attempt")[:2])) != 1:
        give_back(group_id, claimed_by)
        return
    failed = [
        Outcome(
            id,
            attempt,
            Status.FAILED,
            error="The prediction took longer than one may. Nothing was charged.",
            error_code="timeout",
        )
        for id, attempt in alone
    ]
    with bound_contextvars(group_id=str(group_id)):
        settle(failed)


def _run(do: Callable[[UUID, str], None], group_id: str, claimed_by: str) -> None:
    try:
        do(UUID(group_id), claimed_by)
    except (Error, ValueError) as error:
        logger.warning("child_lost_left_to_its_lease", claimed_by=claimed_by, error=str(error))
    finally:
        # A child forked later must not share it.
        connection.close()
