"""The only place that says how the queues do: what waits, what is out, who works, what is dead."""

from typing import Any

from django.conf import settings
from django.db import connection

from predictions.lanes import LANES, WORKER_ALIVE_SECONDS, window
from predictions.models import DeadLetter


def queue_status() -> dict[str, Any]:
    """Count what waits and runs in each lane, leases, dead letters and nodes.

    The number of queries does not depend on how much there is. Times are in seconds, by the
    database's clock.
    """
    bulk_rows = settings.PREDICTION_BULK_ROWS
    waiting = {row.pop("is_bulk"): row for row in _rows(OF_LANES, bulk=bulk_rows)}
    nothing = {"waiting": 0, "unpublished": 0, "groups_out": 0, "processing": 0, "oldest": None}
    return {
        "lanes": [
            {"queue": lane.queue, "window": window(lane), **waiting.get(lane.is_bulk, nothing)}
            for lane in LANES
        ],
        "leases": _rows(LEASES, lease=settings.PREDICTION_LEASE_SECONDS)[0],
        "dead_letters": DeadLetter.objects.filter(discarded_at=None).count(),
        "workers": _rows(WORKERS, alive=WORKER_ALIVE_SECONDS),
    }


def _rows(query: str, **parameters: Any) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


# Each of the three is a partial index; by the status alone every row would be read.
OF_LANES = """
SELECT rows_total > %(bulk)s AS is_bulk,
       count(*) FILTER (WHERE status = 'starting') AS waiting,
       count(*) FILTER (WHERE status = 'starting' AND published_at IS NULL) AS unpublished,
       count(DISTINCT group_id) FILTER (WHERE status = 'starting') AS groups_out,
       count(*) FILTER (WHERE status = 'processing') AS processing,
       extract(epoch FROM statement_timestamp()
                          - min(created_at) FILTER (WHERE status = 'starting'))::float8 AS oldest
FROM predictions_prediction
WHERE status = 'starting' AND published_at IS NULL
   OR status = 'starting' AND published_at IS NOT NULL
   OR status = 'processing'
GROUP BY 1
"""
LEASES = """
SELECT count(*) AS count,
       count(*) FILTER (WHERE lease_expires_at < statement_timestamp()) AS expired,
       extract(epoch FROM statement_timestamp() - min(lease_expires_at))::float8
           + %(lease)s AS oldest
FROM predictions_prediction
WHERE status = 'processing'
"""
WORKERS = """
SELECT name, children, queues,
       extract(epoch FROM statement_timestamp() - seen_at)::float8 AS seen,
       seen_at > statement_timestamp() - make_interval(secs => %(alive)s) AS is_alive
FROM predictions_worker
ORDER BY name
LIMIT 200
"""
