"""The relay: the only publisher. It groups waiting rows, publishes their ids, and reaps.

A group is marked in one short transaction and published after its commit; a crash between
the two leaves a marked group that nobody claims, which the reaper takes back.
"""

import time
from collections.abc import Sequence
from threading import Event

import psycopg2
import structlog
from django.conf import settings
from django.db import Error, connection

from ml_models.models import ModelVersion
from mlservice.lib.failpoints import failpoint
from mlservice.lib.ids import new_id
from mlservice.lib.listening import Listener
from mlservice.lib.logging import asked_by
from predictions import (
    counting,
    dead_letters,
    dispatch,
    endings,
    lanes,
    reaping,
    selectors,
    staying,
)
from predictions.lanes import Lane, Traffic
from predictions.publisher import BROKER_ERRORS, Publisher
from predictions.submitting import submitted

logger = structlog.get_logger(__name__)

POLL_SECONDS = 0.5
POLL_AGAIN_SECONDS = 0.005
REAP_SECONDS = 5.0
# While no child is idle, what comes in meanwhile goes out together.
GAP_SECONDS = 0.004
# Children that stay take what is accepted first, where they predict in less.
HEAD_START_SECONDS = 0.02
BACK_OFF_SECONDS = 1.0
WINDOW_CACHE_SECONDS = 1.0


class Relay:
    """One relay process; several may run, rows are marked with SKIP LOCKED."""

    def __init__(self) -> None:
        self.stopped = Event()
        self.publisher = Publisher()
        self.looks_again = False
        self.turned_at = float("-inf")
        self.served_until = float("-inf")
        self.is_crowded = False
        self.has_more = False
        self.listener: Listener | None = None
        self.reaped_at = float("-inf")
        self.windows = dict.fromkeys(lanes.LANES, 1)
        self.windows_read_at = float("-inf")

    def run(self) -> None:
        """Work until `stopped` is set; a database or broker that is away is waited for."""
        while not self.stopped.is_set():
            try:
                self.turn()
            except (Error, psycopg2.Error) as error:
                logger.warning("relay_database_away", error=repr(error))
                counting.relay_failures.labels("database").inc()
                self.disconnect()
                self.stopped.wait(BACK_OFF_SECONDS)
            except BROKER_ERRORS as error:
                logger.warning("relay_broker_away", error=repr(error))
                counting.relay_failures.labels("broker").inc()
                # The table was looked at: this relay is not the one to be mended.
                counting.turned_timestamp_seconds.set_to_current_time()
                self.stopped.wait(BACK_OFF_SECONDS)
        self.disconnect()
        self.publisher.close()

    def turn(self) -> None:
        """Reap when it is time, publish what fits into the windows, then wait to be woken."""
        self.listener = listener = self.listener or self.connect()
        # Reaping comes first: it needs no broker, and publishing raises while that is away.
        if time.monotonic() - self.reaped_at >= REAP_SECONDS:
            self.reap()
        self.publish_windows()
        # A wake-up may stand for several commits, the last of them a moment later.
        seconds = POLL_AGAIN_SECONDS if self.looks_again else POLL_SECONDS
        self.looks_again = self.wait_until_woken(listener, seconds)
        if self.looks_again and time.monotonic() < self.served_until:
            # A child that stays is woken by the same, and needs no message.
            self.stopped.wait(HEAD_START_SECONDS)
        elif self.is_crowded:
            self.stopped.wait(max(0, self.turned_at + GAP_SECONDS - time.monotonic()))
        self.turned_at = time.monotonic()
        counting.turned_timestamp_seconds.set_to_current_time()

    def connect(self) -> Listener:
        """Listen, and have the queue's indexes read entry by entry.

        So entries of rows that have moved on are marked and passed over; a bitmap of an index is
        made of all of them each time.
        """
        with connection.cursor() as cursor:
            cursor.execute("SET enable_bitmapscan = off")
        return Listener([submitted.channel, endings.CHANNEL])

    def wait_until_woken(self, listener: Listener, seconds: float) -> bool:
        """Wait for more to publish, or room for what waits; say whether it came."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            came = listener.wait(left)
            self.note_served([one.payload for one in came if one.channel == endings.CHANNEL])
            if any(one.channel == submitted.channel for one in came) or (came and self.has_more):
                return True
        return False

    def note_served(self, payloads: Sequence[str]) -> None:
        """Note that a child which predicts quickly has just been through, and stays."""
        told = [one.predict_seconds for one in endings.heard(payloads) or []]
        if any(seconds is not None and seconds < HEAD_START_SECONDS for seconds in told):
            self.served_until = time.monotonic() + staying.LISTEN_SECONDS

    def publish_windows(self) -> None:
        """Publish groups until each lane is full or empty.

        Without a broker nothing is marked: rows would be written and taken back each second.
        """
        self.publisher.connect()
        self.read_windows()
        traffic = lanes.traffic()
        self.is_crowded = traffic[lanes.INTERACTIVE].groups >= self.windows[lanes.INTERACTIVE]
        left = [self.publish_lane(lane, traffic[lane]) for lane in lanes.LANES]
        self.has_more = any(left)

    def read_windows(self) -> None:
        if time.monotonic() - self.windows_read_at > WINDOW_CACHE_SECONDS:
            self.windows = {lane: lanes.window(lane) for lane in lanes.LANES}
            self.windows_read_at = time.monotonic()

    def publish_lane(self, lane: Lane, traffic: Traffic) -> int:
        """Publish groups until the lane is full or empty; return how many are surely left."""
        room, left = traffic.room(lane, self.windows[lane]), traffic.waiting
        share = traffic.share(room)
        for _ in range(room):
            if left <= 0 or self.stopped.is_set():
                break
            published = self.publish_group(lane, max_predictions=share)
            if not published:
                # Others have these rows in their hands, and perhaps not those behind them.
                self.looks_again = True
                break
            left -= published
        return max(left, int(not traffic.is_counted))

    def publish_group(
        self, lane: Lane = lanes.INTERACTIVE, *, max_predictions: int | None = None
    ) -> int:
        """Mark one group, then publish it; return its size. Unmark what the broker refuses."""
        group_id = new_id()
        ids, rows, request_ids = dispatch.mark_group(
            group_id,
            max_rows=settings.PREDICTION_GROUP_MAX_ROWS,
            max_predictions=max_predictions,
            lane=lane,
        )
        if not ids:
            return 0
        failpoint("relay_1")
        try:
            self.publisher.publish(lane.queue, group_id, ids)
        except Exception:
            dispatch.unpublish_group(group_id)
            raise
        failpoint("relay_2")
        counting.published(lane.queue, len(ids))
        logger.info(
            "group_published",
            group_id=str(group_id),
            queue=lane.queue,
            predictions=len(ids),
            rows=rows,
            **asked_by(request_ids),
        )
        return len(ids)

    def reap(self) -> None:
        """End or revive what something that died left behind, and take in dead letters."""
        counting.expect(ModelVersion.objects.published().values_list("pk", flat=True))
        counts = reaping.reap()
        counting.reaped(counts)
        # A full round is followed by the next one at once.
        is_full = max(counts.values()) >= selectors.REAP_AT_MOST
        self.reaped_at = float("-inf") if is_full else time.monotonic()
        if any(counts.values()):
            logger.warning("reaped", **counts)
        dead_letters.collect(self.publisher)

    def disconnect(self) -> None:
        connection.close()
        if self.listener is not None:
            self.listener.close()
            self.listener = None
