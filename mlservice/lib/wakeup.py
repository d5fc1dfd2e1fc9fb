"""The only place that says NOTIFY on its own: a wake-up after a commit, never a message."""

import time
from contextlib import suppress
from threading import Lock

from django.db import Error, connection

GAP_SECONDS = 0.005


class Wakeup:
    """Sends an empty NOTIFY, at most one per 5 ms per process; who hears it looks twice."""

    def __init__(self, channel: str) -> None:
        self.channel = channel
        self.sent_at = float("-inf")
        self.lock = Lock()

    def send(self) -> None:
        with self.lock:
            if time.monotonic() - self.sent_at < GAP_SECONDS:
                return
            self.sent_at = time.monotonic()
        # What woke for is committed already: a wake-up that fails must not fail the caller.
        with suppress(Error), connection.cursor() as cursor:
            cursor.execute(f"NOTIFY {self.channel}")
