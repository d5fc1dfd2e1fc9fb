"""The thread of a worker node that tells the database it lives."""

from collections.abc import Callable, Sequence
from functools import partial
from threading import Event, Thread

import structlog
from django.db import Error, connection

from predictions.dispatch import forget_worker, record_heartbeat

BEAT_SECONDS = 5.0

logger = structlog.get_logger(__name__)
_stopped = Event()


def start(*, name: str, children: int, queues: Sequence[str]) -> None:
    """Begin to beat; the first beat is sent before any task is taken."""
    beat = partial(record_heartbeat, name=name, children=children, queues=queues)
    Thread(target=_beat, args=(beat,), name="heartbeat", daemon=True).start()


def stop(*, name: str) -> None:
    """Stop beating and take the node's row away."""
    _stopped.set()
    try:
        forget_worker(name=name)
    except Error as error:
        logger.warning("heartbeat_not_removed", error=str(error))


def _beat(beat: Callable[[], None]) -> None:
    while not _stopped.is_set():
        try:
            beat()
        except Error as error:
            logger.warning("heartbeat_failed", error=str(error))
            connection.close()
        _stopped.wait(BEAT_SECONDS)
