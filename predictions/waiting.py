"""How a request waits for its prediction: one listener thread per web process wakes them all."""

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

from mlservice.lib.ids import new_id
from mlservice.lib.listening import Listener
from predictions.models import Prediction
from predictions.services import submit_prediction

logger = structlog.get_logger(__name__)

CHECK_SECONDS = 1.0
# Threads that stay free for requests that do not wait.
SPARE_THREADS = 8


class Waiters:
    """The requests of this process that wait, and the thread that wakes them.

    The thread starts with the first waiter, after any fork. Each wake-up, and each second,
    one query asks which of the waiting are finished: a lost NOTIFY costs a second.
    """

    def __init__(self) -> None:
        self.lock = Lock()
        self.waiting: dict[UUID, Event] = {}
        self.thread: threading.Thread | None = None
        self.is_draining = False

    @contextmanager
    def register(self, prediction_id: UUID) -> Iterator[Event | None]:
        """Register before the commit; None when this process cannot take another waiter."""
        event = self._admit(prediction_id)
        try:
            yield event
        finally:
            with self.lock:
                self.waiting.pop(prediction_id, None)

    def _admit(self, prediction_id: UUID) -> Event | None:
        with self.lock:
            room = max(1, settings.WEB_THREADS - SPARE_THREADS)
            if self.is_draining or len(self.waiting) >= room:
                return None
            event = self.waiting[prediction_id] = Event()
            if self.thread is None or not self.thread.is_alive():
                self.thread = threading.Thread(target=self._listen, name="waiters", daemon=True)
                self.thread.start()
        return event

    def drain(self) -> None:
        """Let every waiting request answer at once, and admit no more."""
        with self.lock:
            self.is_draining = True
            for event in self.waiting.values():
                event.set()

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
            ids = list(self.waiting)
        if not ids:
            return
        finished = Prediction.objects.filter(pk__in=ids, completed_at__isnull=False)
        for prediction_id in finished.values_list("pk", flat=True):
            if event := self.waiting.get(prediction_id):
                event.set()


waiters = Waiters()


def submit_and_wait(*, seconds: float, **submission: Any) -> Prediction:
    """Submit a prediction and give it up to `seconds` to finish; it may come back unfinished."""
    if not seconds:
        return submit_prediction(**submission)
    prediction_id = new_id()
    with waiters.register(prediction_id) as event:
        prediction = submit_prediction(prediction_id=prediction_id, **submission)
        if prediction.is_replayed:
            return prediction
        if event is None or not event.wait(seconds):
            return prediction
    try:
        now = Prediction.objects.with_version().get(pk=prediction_id)
    except Error:
        # It is accepted and will be charged: a failed second look must not deny that.
        return prediction
    # Draining wakes waiters early: unfinished is said as `starting`, the word clients poll on.
    return now if now.is_finished else prediction
