"""The only place that reads how a user's predictions of the last days ended, day by day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from django.db import connection
from django.utils import timezone

from predictions.models import CLOCKS_APART

DAYS = 30
# Whatever finished on a day, by the database's clock, has been committed so long after its end.
SURELY_COMMITTED = CLOCKS_APART + timedelta(hours=1)
# Counts of days that are over: a user who looks each day has one more with each day.
REMEMBERED_AT_MOST = 250
# Percentiles must sort what they measure: so many of each day are enough, and sorted at once.
TIMED_A_DAY = 200


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


class Day(NamedTuple):
    """A day of a time zone, with the moments at which it begins and ends."""

    day: date
    began: datetime
    ended: datetime


def last_days() -> list[date]:
    """Return the days up to today in the current time zone, oldest first."""
    today = timezone.localdate()
    return [today - timedelta(days=ago) for ago in reversed(range(DAYS))]


def finished(*, user_id: int | None) -> list[Finished]:
    """Count by day and version what finished in the last days, from an index alone.

    A process counts days that are over once: nothing finishes in the past.
    """
    days, latest = _days(), timezone.now() - SURELY_COMMITTED
    over = tuple(day for day in days if day.ended <= latest)
    return [*finished_on_days_over(user_id, over), *finished_on(user_id, days[len(over) :])]


def finished_on(user_id: int | None, days: Sequence[Day]) -> tuple[Finished, ...]:
    return tuple(Finished(*row) for row in _rows(FINISHED, user_id, days))


finished_on_days_over = lru_cache(REMEMBERED_AT_MOST)(finished_on)


def took(*, user_id: int | None) -> list[Took]:
    """Measure how long the newest of each day took that succeeded, and all of these together."""
    return [Took(*row) for row in _rows(TOOK, user_id, _days())]


def _days() -> list[Day]:
    return [Day(day, _midnight(day), _midnight(day + timedelta(days=1))) for day in last_days()]


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def _rows(query: str, user_id: int | None, days: Sequence[Day]) -> list[tuple[Any, ...]]:
    dates, began, ended = (list(column) for column in zip(*days, strict=True))
    asked: dict[str, Any] = {
        "days": dates,
        "began": began,
        "ended": ended,
        "user": user_id,
        "most": TIMED_A_DAY,
    }
    with connection.cursor() as cursor:
        cursor.execute(query, asked)
        return list(cursor.fetchall())


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
SELECT days.day, version_id, spent, succeeded, failed
{EACH_DAY} (
    SELECT version_id, sum(cost)::bigint AS spent,
           count(*) FILTER (WHERE status = 'succeeded') AS succeeded,
           count(*) FILTER (WHERE status = 'failed') AS failed
    {OF_THE_DAY}
    GROUP BY version_id
) AS ended
ORDER BY days.day
"""
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
