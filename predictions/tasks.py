"""Celery's side of predictions: a task per group, and a worker node's heartbeat."""

from typing import Any
from uuid import UUID

from celery import shared_task
from celery.signals import worker_init, worker_process_init, worker_ready, worker_shutdown
from django.db import connections

from ml_models import inference
from ml_models.selectors import stable_versions
from predictions import heartbeat, runner


@shared_task(name="predictions.run")
def run_predictions(prediction_ids: list[str]) -> None:
    """Predict a group; ids that are gone, forged or taken already do nothing."""
    runner.run([UUID(prediction_id) for prediction_id in prediction_ids])


@worker_init.connect
def preload(**_: Any) -> None:
    """Load every listed model once, before the children are forked; they share its memory."""
    inference.preload(stable_versions())
    # No child may inherit this connection.
    connections.close_all()


@worker_process_init.connect
def warm_up(**_: Any) -> None:
    """Predict an example of every listed model before the child takes its first task."""
    inference.warm_up(stable_versions())


@worker_ready.connect
def start_beating(sender: Any, **_: Any) -> None:
    """Announce the node, and keep its event loop from sleeping on a queued ack.

    Kombu's hub may poll for up to a second with a late ack still unsent; an empty timer
    makes it turn.
    """
    heartbeat.start(name=sender.hostname, children=sender.pool.num_processes)
    if sender.hub is not None:
        sender.hub.call_repeatedly(0.005, lambda: None)


@worker_shutdown.connect
def stop_beating(sender: Any, **_: Any) -> None:
    heartbeat.stop(name=sender.hostname)
