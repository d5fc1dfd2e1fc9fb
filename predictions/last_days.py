"""The only place that reads how a user's predictions of the last days ended, day by day."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

DAYS = 30
# Percentiles must sort what they measure: so many of each day are enough, and sorted at once.
TIMED_A_DAY = 100


@dataclass(frozen=True, slots=True)
class Finished:
    """What finished on one day with one version: how it ended, and what it cost in credits."""

    day: date
    version_id: int
    spent: int
    succeeded: int
    failed: int


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds from accepted to done, of one day (None: of all days), over so many predictions."""

    day: date | None
    median: float
    p95: float
    predictions: int


def last_days() -> list[date]:
    """Return the days up to today in the current time zone, oldest first."""
    today = timezone.localdate()
    return [today - timedelta(days=ago) for ago in reversed(range(DAYS))]


def finished(*, user_id: int | None) -> list[Finished]:
    """Count by day and version what finished in the last days, from indexes alone.

    Of what is added up already, quarters of an hour are read; of the rest, each prediction.
    """
    return [Finished(*row) for row in _rows(FINISHED, user_id)]


def took(*, user_id: int | None) -> list[Took]:
    """Measure how long the newest of each day took that succeeded, and all of these together."""
    return [Took(*row) for row in _rows(TOOK, user_id)]


def _rows(query: str, user_id: int | None) -> list[tuple[Any, ...]]:
    days = last_days()
    asked: dict[str, Any] = {
        "days": days,
        "began": [_midnight(day) for day in days],
        "ended": [_midnight(day + timedelta(days=1)) for day in days],
        "user": user_id,
        "most": TIMED_A_DAY,
    }
    with connection.cursor() as cursor:
        cursor.execute(query, asked)
        return list(cursor.fetchall())


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


# A day at a time, so that each is one range of the index and nothing is sorted or hashed by day.
EACH_DAY = """
FROM unnest(%(days)s::date[], %(began)s::timestamptz[], %(ended)s::timestamptz[])
     AS days (day, began, ended)
CROSS JOIN LATERAL
"""
OF_THE_DAY = """
FROM predictions_prediction
WHERE user_id = %(user)s AND completed_at >= days.began AND completed_at < days.ended
"""
FINISHED = f"""
SELECT days.day, ended.*
{EACH_DAY} (
    SELECT version_id, sum(spent)::bigint, sum(succeeded), sum(failed)
    FROM (
        SELECT version_id, spent, succeeded, failed
        FROM predictions_usage
        WHERE user_id = %(user)s AND began_at >= days.began AND began_at < days.ended
        UNION ALL
        SELECT version_id, cost, (status = 'succeeded')::int, (status = 'failed')::int
        {OF_THE_DAY} AND status <> 'canceled'
        AND completed_at >= coalesce((SELECT reached FROM predictions_usagemark), '-infinity')
    ) AS parts
    GROUP BY version_id
) AS ended
ORDER BY days.day
"""  # noqa: S608 (constants of this file)
TOOK = f"""
WITH timed AS (
    SELECT days.day, newest.seconds
    {EACH_DAY} (
        SELECT greatest(0, extract(epoch FROM completed_at - created_at))::float8 AS seconds
        {OF_THE_DAY} AND status = 'succeeded'
        ORDER BY completed_at DESC LIMIT %(most)s
    ) AS newest
)
SELECT day, percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds),
       percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds), count(*)
FROM timed
GROUP BY GROUPING SETS ((day), ())
HAVING count(*) > 0
ORDER BY day
"""  # noqa: S608 (constants of this file)
