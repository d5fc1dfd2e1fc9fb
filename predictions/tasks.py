"""Celery's side of predictions: a task per group, and what a worker node does as it starts."""

import os
from typing import Any
from uuid import UUID

import structlog
from celery import Celery, Task, current_app, shared_task
from celery.exceptions import Reject
from celery.signals import worker_init, worker_process_init, worker_ready, worker_shutdown
from django.conf import settings
from django.db import connections
from structlog.contextvars import bound_contextvars

from ml_models import inference
from ml_models.selectors import serving_versions
from mlservice.lib.memory import limit_memory
from mlservice.lib.queues import BULK, DUTY_SECONDS, PREDICTIONS
from predictions import heartbeat, runner, usage
from predictions.children import GroupRequest, claimant
from predictions.lanes import lane_of

logger = structlog.get_logger(__name__)


class GroupTask(Task[Any, Any]):
    Request = f"{GroupRequest.__module__}:{GroupRequest.__qualname__}"


@shared_task(name="predictions.run", bind=True, base=GroupTask)
def run_predictions(self: Any, prediction_ids: list[str]) -> None:
    """Predict a group; ids that are gone, forged or taken already do nothing."""
    try:
        ids = [UUID(prediction_id) for prediction_id in prediction_ids]
        group_id = UUID(self.request.id)
    except (AttributeError, TypeError, ValueError) as unreadable:
        # It goes to the dead queue, where the operator can look at it.
        raise Reject(unreadable, requeue=False) from unreadable
    claimed_by = claimant(self.request.hostname, os.getpid())
    lane = lane_of((self.request.delivery_info or {}).get("routing_key"))
    # Every line that is written on the way says for whom; the runner learns who asked.
    with bound_contextvars(group_id=str(group_id), request_ids=None):
        runner.run(ids, group_id=group_id, claimed_by=claimed_by, lane=lane)


@shared_task(name="predictions.add_up_usage", time_limit=120, soft_time_limit=110)
def add_up_usage() -> None:
    """Add up what finished, for as long as letters may wait."""
    if rows := usage.add_up_usage(seconds=DUTY_SECONDS):
        logger.info("usage_added_up", rows=rows)


def consumed(app: Celery) -> list[str]:
    """Name the queues that this node was told to consume."""
    return sorted(app.amqp.queues.consume_from)


def predicts(app: Celery) -> bool:
    return not {PREDICTIONS, BULK}.isdisjoint(consumed(app))


@worker_init.connect
def preload(sender: Any, **_: Any) -> None:
    """Load every listed model once, before the children are forked; they share its memory."""
    if predicts(sender.app):
        inference.preload(serving_versions())
    # No child may inherit this connection.
    connections.close_all()


@worker_process_init.connect
def warm_up(**_: Any) -> None:
    """Predict an example of every listed model before the child takes its first task."""
    if predicts(current_app):
        try:
            inference.warm_up(serving_versions())
        finally:
            # A model that cannot predict its own example must not lift everybody's limit.
            limit_memory(settings.WORKER_MAX_MEMORY_MB)


@worker_ready.connect
def start_beating(sender: Any, **_: Any) -> None:
    """Announce the node, and keep its event loop from sleeping on a queued ack.

    Kombu's hub may poll for up to a second with a late ack still unsent; an empty timer
    makes it turn.
    """
    heartbeat.start(
        name=sender.hostname, children=sender.pool.num_processes, queues=consumed(sender.app)
    )
    if sender.hub is not None:
        sender.hub.call_repeatedly(0.005, lambda: None)


@worker_shutdown.connect
def stop_beating(sender: Any, **_: Any) -> None:
    heartbeat.stop(name=sender.hostname)
