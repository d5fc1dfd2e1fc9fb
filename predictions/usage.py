"""The only place that writes usage: what finished, added up by quarters of an hour."""

import math
import time
from datetime import datetime, timedelta

from django.db import connection, transaction

from predictions.last_days import DAYS
from predictions.models import Usage, UsageMark

# Every time zone in use begins its days at a quarter of an hour.
QUARTER = timedelta(minutes=15)
# A day more than is told of, for elsewhere days begin at other times.
KEPT = timedelta(days=DAYS + 1)
STEP = timedelta(hours=6)


def add_up_usage(*, seconds: float = math.inf) -> int:
    """Add up what finished since the mark, step by step; return how many rows that made.

    Each step is kept by itself, and none is begun after so many seconds: the next run goes on
    there. What is past its time goes.
    """
    ends_at, until = time.monotonic() + seconds, _certain()
    oldest, made = until - KEPT, 0
    while time.monotonic() <= ends_at and (rows := _step(oldest, until)) is not None:
        made += rows
    # An index by age would be taken for a day of one user, where it reads everybody's.
    Usage.objects.filter(began_at__lt=oldest).delete()
    return made


@transaction.atomic
def _step(oldest: datetime, until: datetime) -> int | None:
    """Add up one step, one run at a time; None when all until then is there."""
    mark, _ = UsageMark.objects.select_for_update().get_or_create(
        pk=1, defaults={"reached": oldest}
    )
    began = max(mark.reached, oldest)
    if began >= until:
        return None
    ended = min(began + STEP, until)
    with connection.cursor() as cursor:
        cursor.execute(ADD_UP, {"began": began, "ended": ended, "quarter": QUARTER.total_seconds()})
        made: int = cursor.rowcount
    UsageMark.objects.filter(pk=1).update(reached=ended)
    return made


def _certain() -> datetime:
    """Give the moment, at a quarter of an hour, before which nothing finishes any more.

    Who settles has written, or locked a wallet, before it asks for the time at which it ends a
    prediction: what is not committed yet finishes after the oldest such transaction began. Of
    another role's transactions nothing is told; they have the quarter of an hour.
    """
    with connection.cursor() as cursor:
        cursor.execute(CERTAIN, {"quarter": QUARTER.total_seconds()})
        certain: datetime = cursor.fetchone()[0]
    return certain


CERTAIN = """
SELECT date_bin(quarter, least(statement_timestamp() - quarter, oldest), '2000-01-01 00:00+00')
FROM make_interval(secs => %(quarter)s) AS quarter,
     (SELECT min(xact_start) AS oldest FROM pg_stat_activity
      WHERE datname = current_database() AND backend_xid IS NOT NULL
        AND backend_type = 'client backend') AS writing
"""
# One range of an index a user, and of predictions nothing but the index is read.
ADD_UP = """
INSERT INTO predictions_usage (user_id, version_id, began_at, spent, succeeded, failed)
SELECT users.id, ended.*
FROM accounts_user AS users CROSS JOIN LATERAL (
    SELECT version_id,
           date_bin(make_interval(secs => %(quarter)s), completed_at, '2000-01-01 00:00+00'),
           sum(cost)::bigint, count(*) FILTER (WHERE status = 'succeeded'),
           count(*) FILTER (WHERE status = 'failed')
    FROM predictions_prediction
    WHERE user_id = users.id AND completed_at >= %(began)s AND completed_at < %(ended)s
      AND status <> 'canceled'
    GROUP BY 1, 2
) AS ended
"""
