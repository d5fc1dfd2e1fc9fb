"""How a request waits for its prediction: one listener thread per web process wakes them all.

The thread reads, in one query, how those that are waited for have ended.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Lock
from typing import Any
from uuid import UUID

import psycopg2
import structlog
from django.conf import settings
from django.db import Error, connection

from mlservice.lib.listening import Listener
from mlservice.lib.prepared import Statement
from predictions.accepting import desk
from predictions.models import Prediction
from predictions.submitting import Order

logger = structlog.get_logger(__name__)

CHECK_SECONDS = 1.0
# Threads that stay free for requests that do not wait.
SPARE_THREADS = 8


# How a prediction ended, and in the order of these: its fields.
ENDED = (
    *("status", "output", "error", "error_code", "cost", "predict_seconds"),
    *("started_at", "completed_at", "cancel_requested_at"),
)
READ_ENDED = Statement(
    "read_ended",
    ["uuid[]"],
    f"""
SELECT id, {", ".join(ENDED)} FROM predictions_prediction
WHERE id = ANY($1) AND completed_at IS NOT NULL
""",  # noqa: S608 (constants of this file)
)


class Waiter:
    """One request that waits: `ended` holds the fields of the end once there is one."""

    def __init__(self) -> None:
        self.called = Event()
        self.ended: tuple[Any, ...] | None = None

    def complete(self, prediction: Prediction) -> None:
        """Write the end, if it has come, on the prediction as it was accepted."""
        for name, value in zip(ENDED, self.ended or (), strict=False):
            setattr(prediction, name, value)


class Waiters:
    """The requests of this process that wait, and the thread that wakes them.

    The thread starts with the first waiter, after any fork. Each wake-up, and each second,
    one query asks which of the waiting are finished: a lost NOTIFY costs a second.
    """

    def __init__(self) -> None:
        self.lock = Lock()
        self.waiting: dict[UUID, Waiter] = {}
        self.thread: threading.Thread | None = None
        self.is_draining = False

    @contextmanager
    def register(self, prediction_id: UUID) -> Iterator[Waiter | None]:
        """Register before the commit; None when this process cannot take another waiter."""
        waiter = self._admit(prediction_id)
        try:
            yield waiter
        finally:
            with self.lock:
                self.waiting.pop(prediction_id, None)

    def _admit(self, prediction_id: UUID) -> Waiter | None:
        with self.lock:
            room = max(1, settings.WEB_THREADS - SPARE_THREADS)
            if self.is_draining or len(self.waiting) >= room:
                return None
            waiter = self.waiting[prediction_id] = Waiter()
            if self.thread is None or not self.thread.is_alive():
                self.thread = threading.Thread(target=self._listen, name="waiters", daemon=True)
                self.thread.start()
        return waiter

    def drain(self) -> None:
        """Let every waiting request answer at once, and admit no more."""
        with self.lock:
            self.is_draining = True
            for waiter in self.waiting.values():
                waiter.called.set()

    def _listen(self) -> None:
        while True:
            try:
                self._wake_until_it_breaks(Listener(["prediction_finished"]))
            except (psycopg2.Error, Error) as error:
                logger.warning("waiters_reconnect", error=str(error))
                connection.close()
                time.sleep(CHECK_SECONDS)

    def _wake_until_it_breaks(self, listener: Listener) -> None:
        try:
            while True:
                self._wake_finished()
                listener.wait(CHECK_SECONDS)
        finally:
            listener.close()

    def _wake_finished(self) -> None:
        with self.lock:
            ids = [one for one, waiter in self.waiting.items() if waiter.ended is None]
        if not ids:
            return
        for prediction_id, *ended in READ_ENDED.run(ids):
            if waiter := self.waiting.get(prediction_id):
                waiter.ended = tuple(ended)
                waiter.called.set()


waiters = Waiters()


def submit_and_wait(*, seconds: float, **order: Any) -> Prediction:
    """Submit a prediction and give it up to `seconds` to finish; it may come back unfinished."""
    placed = Order(**order)
    if not seconds:
        return desk.accept(placed)
    with waiters.register(placed.prediction_id) as waiter:
        if waiter is None:
            return desk.accept(placed)
        until = time.monotonic() + seconds
        prediction = desk.accept(placed, end=waiter.called, seconds=seconds)
        if not prediction.is_replayed and not waiters.is_draining:
            waiter.called.wait(max(0, until - time.monotonic()))
        # Draining calls waiters early: unfinished is said as `starting`, which clients poll on.
        waiter.complete(prediction)
    return prediction
