"""The only place that says LISTEN: an own autocommit connection that waits for wake-ups."""

import select
from collections.abc import Sequence

import psycopg2
from django.conf import settings
from psycopg2.extensions import Notify


class Listener:
    """Waits on channels of the database server; raises psycopg2.Error when it is away."""

    def __init__(self, channels: Sequence[str]) -> None:
        self.connection = psycopg2.connect(
            settings.LISTEN_DATABASE_URL, **settings.DATABASE_PATIENCE
        )
        self.connection.autocommit = True
        self.turn_to(channels)

    def turn_to(self, channels: Sequence[str]) -> None:
        """Wait on these from now on, and forget what came before."""
        self.connection.notifies.clear()
        with self.connection.cursor() as cursor:
            cursor.execute("; ".join(["UNLISTEN *", *(f"LISTEN {one}" for one in channels)]))

    def wait(self, seconds: float) -> list[Notify]:
        """Sleep until a wake-up or until the time is over; return those that came."""
        if not self.connection.notifies:
            select.select([self.connection], [], [], seconds)
        self.connection.poll()
        came = list(self.connection.notifies)
        self.connection.notifies.clear()
        return came

    def close(self) -> None:
        self.connection.close()
