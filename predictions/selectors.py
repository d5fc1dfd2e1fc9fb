"""Reads that shape: the backlog, the relay's window, and what the reaper looks for."""

import time
from datetime import timedelta

from django.db import connection
from django.db.models import Sum
from django.db.models.functions import Now

from predictions.models import Prediction, PredictionQuerySet, Worker

LOST_AFTER_SECONDS = 30
WORKER_ALIVE_SECONDS = 20
REAP_AT_MOST = 500
BACKLOG_CACHE_SECONDS = 1.0

NEVER = (float("-inf"), 0)

_backlog: tuple[float, int] = NEVER


def backlog() -> int:
    """Count the predictions that wait, as of at most a second ago."""
    global _backlog
    read_at, count = _backlog
    if time.monotonic() - read_at > BACKLOG_CACHE_SECONDS:
        count = Prediction.objects.filter(status=Prediction.Status.STARTING).count()
        _backlog = (time.monotonic(), count)
    return count


def forget_backlog() -> None:
    """Make the next caller count anew."""
    global _backlog
    _backlog = NEVER


def live_children() -> int:
    """Count the worker children whose node sent a heartbeat lately."""
    alive = Worker.objects.filter(seen_at__gt=Now() - timedelta(seconds=WORKER_ALIVE_SECONDS))
    return alive.aggregate(total=Sum("children"))["total"] or 0


def open_groups() -> int:
    """Count groups that were published lately and that no worker has claimed yet."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT count(DISTINCT group_id) FROM predictions_prediction
               WHERE status = 'starting' AND published_at > now() - make_interval(secs => %s)""",
            [LOST_AFTER_SECONDS],
        )
        count: int = cursor.fetchone()[0]
    return count


def starting_longer_than(seconds: int) -> PredictionQuerySet:
    return Prediction.objects.filter(
        status=Prediction.Status.STARTING, created_at__lt=Now() - timedelta(seconds=seconds)
    )


def published_longer_than(seconds: int) -> PredictionQuerySet:
    return Prediction.objects.filter(
        status=Prediction.Status.STARTING, published_at__lt=Now() - timedelta(seconds=seconds)
    )


def metrics(prediction: Prediction) -> dict[str, float | None]:
    """Seconds waited in the queue, spent predicting, and from acceptance to the end."""
    created, started, completed = (
        prediction.created_at,
        prediction.started_at,
        prediction.completed_at,
    )
    return {
        "queue_seconds": (started - created).total_seconds() if started else None,
        "predict_seconds": prediction.predict_seconds,
        "total_seconds": (completed - created).total_seconds() if completed else None,
    }
