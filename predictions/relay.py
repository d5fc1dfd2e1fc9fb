"""The relay: the only publisher. It groups waiting rows, publishes their ids, and reaps.

A group is marked in one short transaction and published after its commit; a crash between
the two leaves a marked group that nobody claims, which the reaper takes back.
"""

import time
from threading import Event
from typing import Any
from uuid import UUID

import psycopg2
import structlog
from django.conf import settings
from django.db import Error, connection
from kombu.exceptions import KombuError

from mlservice.celery import app
from mlservice.lib.failpoints import failpoint
from mlservice.lib.ids import new_id
from mlservice.lib.listening import Listener
from predictions import dispatch, selectors
from predictions.tasks import run_predictions

logger = structlog.get_logger(__name__)

POLL_SECONDS = 0.5
BUSY_POLL_SECONDS = 0.02
REAP_SECONDS = 5.0
BACK_OFF_SECONDS = 1.0
WINDOW_CACHE_SECONDS = 1.0

# A refusal, a lost connection and an unroutable message all come under other names.
with app.connection_for_write() as broker:
    BROKER_ERRORS: tuple[type[BaseException], ...] = (
        KombuError,
        *broker.connection_errors,
        *broker.channel_errors,
    )


class Relay:
    """One relay process; several may run, rows are marked with SKIP LOCKED."""

    def __init__(self) -> None:
        self.stopped = Event()
        self.was_woken = False
        self.listener: Listener | None = None
        self.reaped_at = float("-inf")
        self.window = 1
        self.window_read_at = float("-inf")

    def run(self) -> None:
        """Work until `stopped` is set; a database or broker that is away is waited for."""
        while not self.stopped.is_set():
            try:
                self.turn()
            except (Error, psycopg2.Error) as error:
                logger.warning("relay_database_away", error=str(error))
                self.disconnect()
                self.stopped.wait(BACK_OFF_SECONDS)
            except BROKER_ERRORS as error:
                logger.warning("relay_broker_away", error=str(error))
                self.stopped.wait(BACK_OFF_SECONDS)
        self.disconnect()

    def turn(self) -> None:
        """Publish what fits into the window, reap when it is time, then wait to be woken."""
        self.listener = self.listener or Listener(["prediction_submitted", "prediction_finished"])
        was_busy = self.publish_window()
        if time.monotonic() - self.reaped_at >= REAP_SECONDS:
            self.reap()
        # A wake-up may stand for several commits, the last of them a moment later.
        look_again_soon = was_busy or self.was_woken
        self.was_woken = self.listener.wait(BUSY_POLL_SECONDS if look_again_soon else POLL_SECONDS)

    def publish_window(self) -> bool:
        """Publish groups until the window is full or nothing waits; say whether work remains.

        The window is about one published, unclaimed group per worker child: what does not
        fit stays in the table, where groups grow.
        """
        self.read_window()
        room = self.window - selectors.open_groups()
        return all(self.publish_group() for _ in range(room))

    def read_window(self) -> None:
        if time.monotonic() - self.window_read_at > WINDOW_CACHE_SECONDS:
            self.window = max(1, selectors.live_children())
            self.window_read_at = time.monotonic()

    def publish_group(self) -> bool:
        """Mark one group, then publish it; when the broker refuses, unmark it and raise."""
        group_id = new_id()
        ids, rows = dispatch.mark_group(group_id, max_rows=settings.PREDICTION_GROUP_MAX_ROWS)
        if not ids:
            return False
        failpoint("relay_1")
        try:
            publish(group_id, ids)
        except Exception:
            dispatch.unpublish_group(group_id)
            raise
        failpoint("relay_2")
        logger.info("group_published", group_id=str(group_id), predictions=len(ids), rows=rows)
        return True

    def reap(self) -> None:
        """End or revive what was left behind by something that died."""
        self.reaped_at = time.monotonic()
        counts = {
            "leases_returned": dispatch.return_expired_leases(),
            "attempts_exhausted": dispatch.fail_exhausted(),
            "expired": dispatch.expire_old(),
            "unpublished": dispatch.unpublish_lost(window=self.window),
        }
        if any(counts.values()):
            logger.warning("reaped", **counts)

    def disconnect(self) -> None:
        connection.close()
        if self.listener is not None:
            self.listener.close()
            self.listener = None


def publish(group_id: UUID, prediction_ids: list[UUID]) -> None:
    """Send one message with the ids of a group; return when the broker has confirmed it."""
    # A broker confirms what it cannot route, unless told that it must arrive somewhere.
    options: dict[str, Any] = {"mandatory": True} if settings.BROKER_IS_RABBITMQ else {}
    ids = [str(prediction_id) for prediction_id in prediction_ids]
    run_predictions.apply_async((ids,), task_id=str(group_id), retry=False, **options)
