"""How a request waits for its prediction: one listener thread per web process wakes them all.

The thread hears how predictions have ended, or reads it for all that are waited for; and that
versions have changed.
"""

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Lock
from typing import Any
from uuid import UUID

import psycopg2
import structlog
from django.conf import settings
from django.db import Error, connection
from psycopg2.extensions import Notify

from ml_models.selectors import CHANGES, forget_found_versions
from mlservice.lib import tracing
from mlservice.lib.listening import Listener
from predictions import endings
from predictions.accepting import desk
from predictions.endings import Ending
from predictions.models import Prediction
from predictions.submitting import Order

logger = structlog.get_logger(__name__)

CHECK_SECONDS = 1.0
# Threads that stay free for requests that do not wait.
SPARE_THREADS = 8


class Waiter:
    """One request that waits: `called` when its prediction has ended, or when it is to go on."""

    def __init__(self) -> None:
        self.called = Event()
        self.ending: Ending | None = None


class Waiters:
    """The requests of this process that wait, and the thread that wakes them.

    The thread starts with the first waiter, after any fork. After a wake-up that says nothing, and
    after each silent second, one query asks which are finished: a lost NOTIFY costs a second.
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
                self._wake_until_it_breaks(Listener([endings.CHANNEL, CHANGES]))
            except (psycopg2.Error, Error) as error:
                logger.warning("waiters_reconnect", error=str(error))
                connection.close()
                time.sleep(CHECK_SECONDS)

    def _wake_until_it_breaks(self, listener: Listener) -> None:
        try:
            # Nobody listened before.
            forget_found_versions()
            told: list[Ending] | None = None
            while True:
                self._wake(self._ended() if told is None else told)
                came = listener.wait(CHECK_SECONDS)
                if any(one.channel == CHANGES for one in came):
                    forget_found_versions()
                told = endings_in(came) if came else None
        finally:
            listener.close()

    def _ended(self) -> list[Ending]:
        with self.lock:
            ids = [one for one, waiter in self.waiting.items() if waiter.ending is None]
        return endings.ended(ids) if ids else []

    def _wake(self, told: Iterable[Ending]) -> None:
        for ending in told:
            if waiter := self.waiting.get(ending.id):
                waiter.ending = ending
                waiter.called.set()


def endings_in(came: Sequence[Notify]) -> list[Ending] | None:
    """Return the endings that wake-ups tell of; None if they have to be read."""
    return endings.heard([one.payload for one in came if one.channel == endings.CHANNEL])


waiters = Waiters()


@tracing.prediction
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
        if waiter.ending:
            waiter.ending.write_on(prediction)
    return prediction
