"""How a child of a worker node goes on without a message: it takes along what waits, and listens.

Relay and broker call a child; while it is kept busy, it needs neither. Nothing depends on it: what
no child takes, the relay publishes.
"""

import time
from types import TracebackType
from typing import Self
from uuid import UUID

import psycopg2
import structlog
from django.db import Error

from mlservice.lib.listening import Listener
from predictions import counting
from predictions.dispatch import take_group
from predictions.lanes import Lane
from predictions.services import Claim
from predictions.submitting import submitted

logger = structlog.get_logger(__name__)

# So long a child goes on whoever else waits; after that only while no message waits for a child.
GO_ON_SECONDS = 0.1
# What is taken last has as much less of its time limit.
AT_MOST_SECONDS = 1.0
# So long it listens for what comes next. It looks in between once, for a wake-up may stand for
# several commits, the last of them a moment later.
LISTEN_SECONDS = 0.1
LOOK_SECONDS = 0.005

# Connections of this process that hear nothing just now; a child needs one.
_spare: list[Listener] = []


class Stay:
    """A child's time with a lane, since a message has called it there."""

    def __init__(self, lane: Lane | None, *, group_id: UUID | None, claimed_by: str) -> None:
        self.lane, self.group_id, self.claimed_by = lane, group_id, claimed_by
        self.began = time.monotonic()
        self.listener: Listener | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop_listening()

    @property
    def is_in_bulk(self) -> bool:
        return self.lane is not None and self.lane.is_bulk

    @property
    def lasted(self) -> float:
        return time.monotonic() - self.began

    def take(self) -> list[Claim]:
        """Mark and claim what waits in the lane; where that fails, it is left to the relay."""
        if self.lane is None or self.group_id is None or (lasted := self.lasted) > AT_MOST_SECONDS:
            return []
        gives_way = lasted > GO_ON_SECONDS
        try:
            taken = take_group(
                self.lane,
                group_id=self.group_id,
                claimed_by=self.claimed_by,
                gives_way=gives_way,
            )
        except Error as error:
            logger.warning("nothing_taken_along", error=repr(error))
            return []
        counting.taken_along.labels(self.lane.queue).inc(len(taken))
        return taken

    def wait(self) -> list[Claim]:
        """Take what comes within a moment; who is woken in vain, others having taken it, leaves.

        Bulk is left to the relay, which sees to it that a child is left for small ones.
        """
        if self.is_in_bulk:
            return []
        self.is_woken(LOOK_SECONDS)
        return self.take() or (self.take() if self.is_woken(LISTEN_SECONDS) else [])

    def is_woken(self, seconds: float) -> bool:
        """Sleep until something is accepted or the time is over; say whether it was."""
        if self.lane is None or (left := AT_MOST_SECONDS - self.lasted) <= 0:
            return False
        try:
            self.listener = self.listener or listening()
            return bool(self.listener.wait(min(seconds, left)))
        except psycopg2.Error as error:
            logger.warning("nothing_heard", error=repr(error))
            self.stop_listening()
            return False

    def stop_listening(self) -> None:
        """Hear no more: what nobody reads would fill the connection, then the server's queue."""
        listener, self.listener = self.listener, None
        if listener is not None:
            try:
                listener.turn_to([])
                _spare.append(listener)
            except psycopg2.Error:
                listener.close()


def listening() -> Listener:
    """Have a connection that hears of what is accepted from now on."""
    if not _spare:
        return Listener([submitted.channel])
    listener = _spare.pop()
    try:
        listener.turn_to([submitted.channel])
    except psycopg2.Error:
        listener.close()
        raise
    return listener
