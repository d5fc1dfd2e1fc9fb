"""The only place that lets threads use one connection to the database, one after another."""

import select
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections


class SharedConnection:
    """A connection of its own, which a thread at a time has for its usual one.

    Its user sees to it that no two threads have it at once. A hot path keeps its statements
    prepared so, and PostgreSQL one server process for it instead of one for each thread.
    """

    def __init__(self) -> None:
        self.connection: Any = None

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Have whatever this thread asks of the database go through it."""
        usual = connections[DEFAULT_DB_ALIAS]
        connections[DEFAULT_DB_ALIAS] = self._usable()
        try:
            yield
        finally:
            connections[DEFAULT_DB_ALIAS] = usual

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()

    def _usable(self) -> Any:
        if self.connection is None:
            self.connection = connections.create_connection(DEFAULT_DB_ALIAS)
            # A look at its socket says what a question to the server each time would say.
            self.connection.settings_dict = self.connection.settings_dict | {
                "CONN_HEALTH_CHECKS": False
            }
            self.connection.inc_thread_sharing()
        raw = self.connection.connection
        if raw is not None and (raw.closed or has_news(raw)):
            self.connection.errors_occurred = True
        # It asks the server only where an error has occurred.
        self.connection.close_if_unusable_or_obsolete()
        return self.connection


def has_news(raw: Any) -> bool:
    """Say whether the server has closed an idle connection, or has said something unasked."""
    poll = select.poll()
    poll.register(raw, select.POLLIN)
    return bool(poll.poll(0))
