"""The only place that says how many predictions go before one that still waits."""

import time
from threading import Lock
from uuid import UUID

from django.conf import settings
from django.db import connection

from predictions.models import Prediction

CACHE_SECONDS = 1.0
# A long queue takes a while to read: no more than a twentieth of the time is spent on it.
CACHE_SHARE = 20
NEVER: tuple[float, dict[UUID, int]] = (float("-inf"), {})

_known = NEVER
_reading = Lock()


def ahead_of(prediction: Prediction) -> int:
    """Count what goes out before it in its lane, about, as of a second or a little longer ago.

    However many watch, a process asks once a second; who came since then is told of nobody.
    """
    if prediction.status != Prediction.Status.STARTING:
        return 0
    if time.monotonic() > _known[0] and _reading.acquire(blocking=False):
        try:
            _read()
        finally:
            _reading.release()
    return _known[1].get(prediction.pk, 0)


def _read() -> None:
    global _known
    began = time.monotonic()
    turns = _turns()
    now = time.monotonic()
    _known = (now + max(CACHE_SECONDS, CACHE_SHARE * (now - began)), turns)


def forget_turns() -> None:
    """Make the next caller count anew."""
    global _known
    _known = NEVER


def _turns() -> dict[UUID, int]:
    with connection.cursor() as cursor:
        cursor.execute(TURNS, {"bulk_rows": settings.PREDICTION_BULK_ROWS})
        return dict(cursor.fetchall())


# In the order in which the relay forms groups: what was tried before, then users in turn. Each
# half has a small index of its own, for there is no more in the two than the backlog's limit.
TURNS = """
WITH waiting AS (
    SELECT id, rows_total > %(bulk_rows)s AS is_bulk, false AS is_out, attempt,
           row_number() OVER (PARTITION BY user_id, rows_total > %(bulk_rows)s ORDER BY id) AS turn
    FROM predictions_prediction
    WHERE status = 'starting' AND published_at IS NULL
    UNION ALL
    SELECT id, rows_total > %(bulk_rows)s, true, attempt, 0
    FROM predictions_prediction
    WHERE status = 'starting' AND published_at IS NOT NULL
)
SELECT id, row_number() OVER (
    PARTITION BY is_bulk ORDER BY is_out DESC, attempt > 0 DESC, turn, id
) - 1
FROM waiting
"""
