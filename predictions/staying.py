"""How a child of a worker node goes on without a message: it takes along what waits, and listens.

Relay and broker call a child; while it is kept busy, it needs neither. Nothing depends on it: what
no child takes, the relay publishes.
"""

import time
from typing import ClassVar
from uuid import UUID

import psycopg2
import structlog
from django.conf import settings
from django.db import Error
from structlog.contextvars import unbind_contextvars

from mlservice.lib.listening import Listener
from mlservice.lib.tracing import step
from predictions import counting
from predictions.dispatch import a_message_waits, take_group
from predictions.lanes import Lane
from predictions.services import Claim
from predictions.submitting import submitted

logger = structlog.get_logger(__name__)

# So long a child goes on whoever else waits; after that only while no message waits for a child.
GO_ON_SECONDS = 0.1
AT_MOST_SECONDS = 1.0
# What is taken last has as much less of its time limit.
AT_MOST_OF_THE_LIMIT = 0.05
# So long it listens for what comes next, and looks now and then whether a message needs it.
LISTEN_SECONDS = 0.1
LOOK_SECONDS = 0.02
# A wake-up may stand for several commits, the last of them a moment later.
AGAIN_SECONDS = 0.005
# A child that could not listen does not try again for so long.
DEAF_SECONDS = 30.0


class Stay:
    """A child's time with a lane, since a message has called it there."""

    # Connections of this process that hear nothing just now; a child needs one.
    spare: ClassVar[list[Listener]] = []
    deaf_until: ClassVar[float] = float("-inf")

    def __init__(self, lane: Lane | None, *, group_id: UUID | None, claimed_by: str) -> None:
        self.lane, self.group_id, self.claimed_by = lane, group_id, claimed_by
        self.began = time.monotonic()
        self.listener: Listener | None = None

    @property
    def is_in_bulk(self) -> bool:
        return self.lane is not None and self.lane.is_bulk

    @property
    def lasted(self) -> float:
        return time.monotonic() - self.began

    @property
    def is_over(self) -> bool:
        return self.lasted > at_most()

    @step("take along")
    def take_along(self) -> list[Claim]:
        return self.take()

    def take(self) -> list[Claim]:
        """Mark and claim what waits in the lane; where that fails, it is left to the relay."""
        if self.lane is None or self.group_id is None or self.is_over:
            return []
        began = time.perf_counter()
        try:
            taken = take_group(
                self.lane,
                group_id=self.group_id,
                claimed_by=self.claimed_by,
                gives_way=self.lasted > GO_ON_SECONDS,
            )
        except Error as error:
            logger.warning("nothing_taken_along", error=repr(error))
            return []
        if taken:
            counting.claim_seconds.observe(time.perf_counter() - began)
            counting.taken_along.labels(self.lane.queue).inc(len(taken))
        return taken

    def take_what_comes(self) -> list[Claim]:
        """Listen a moment, and take what comes next. With nothing, the child is to leave.

        It leaves as well when a message waits, for it may be the one to take it, and when it is
        woken in vain, others having been faster. Bulk is left to the relay, which sees to it that
        a child is left for small ones.
        """
        # What is said from here on is about nobody's request.
        unbind_contextvars("request_ids")
        if self.lane is None or self.is_in_bulk or self.is_over:
            return []
        try:
            listener = self.listening()
            return self.take_what_is_heard(listener) if listener else self.take()
        except (Error, psycopg2.Error) as error:
            logger.warning("nothing_heard", error=repr(error))
            self.close()
            Stay.deaf_until = time.monotonic() + DEAF_SECONDS
            return []

    def take_what_is_heard(self, listener: Listener) -> list[Claim]:
        listener.wait(AGAIN_SECONDS)
        if taken := self.take():
            return taken
        until = min(time.monotonic() + LISTEN_SECONDS, self.began + at_most())
        while (left := until - time.monotonic()) > 0 and not a_message_waits():
            if listener.wait(min(left, LOOK_SECONDS)):
                return self.take()
        return []

    def listening(self) -> Listener | None:
        """Have a connection that hears of what is accepted from now on, if there is one."""
        if self.listener is None and time.monotonic() > Stay.deaf_until:
            self.listener = self.spare.pop() if self.spare else Listener([])
            self.listener.turn_to([submitted.channel])
        return self.listener

    def close(self) -> None:
        """Hear no more: what nobody reads would fill the connection, then the server's queue."""
        listener, self.listener = self.listener, None
        if listener is not None:
            try:
                listener.turn_to([])
                self.spare.append(listener)
            except psycopg2.Error:
                listener.close()


def at_most() -> float:
    """Return for how long a child may stay, in seconds."""
    of_the_limit: float = settings.CELERY_TASK_SOFT_TIME_LIMIT * AT_MOST_OF_THE_LIMIT
    return min(AT_MOST_SECONDS, of_the_limit)
