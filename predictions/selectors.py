"""Reads that shape: the backlog, what the reaper looks for, and how long things took."""

import time
from datetime import timedelta

from django.db.models.functions import Now

from predictions.models import Prediction, PredictionQuerySet

REAP_AT_MOST = 500
BACKLOG_CACHE_SECONDS = 1.0

NEVER = (float("-inf"), 0)

_backlog: tuple[float, int] = NEVER


def backlog() -> int:
    """Count the predictions that wait, as of at most a second ago."""
    global _backlog
    read_at, count = _backlog
    if time.monotonic() - read_at > BACKLOG_CACHE_SECONDS:
        count = Prediction.objects.waiting().count()
        _backlog = (time.monotonic(), count)
    return count


def forget_backlog() -> None:
    """Make the next caller count anew."""
    global _backlog
    _backlog = NEVER


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
