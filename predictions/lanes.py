"""The only place that says which way a prediction travels, and how much may be under way there.

Small predictions are interactive, large ones go in bulk. What does not fit into a lane's
window stays in the table, where groups grow.
"""

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import connection
from django.db.models import Sum
from django.db.models.functions import Now

from mlservice.lib.prepared import Statement
from mlservice.lib.queues import BULK as BULK_QUEUE
from mlservice.lib.queues import PREDICTIONS
from predictions.models import Worker

LOST_AFTER_SECONDS = 30
SURELY_LOST_AFTER_SECONDS = 60
WORKER_ALIVE_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Lane:
    """One of the two ways to the workers: a queue, and the predictions that go there."""

    queue: str
    is_bulk: bool


INTERACTIVE = Lane(PREDICTIONS, is_bulk=False)
BULK = Lane(BULK_QUEUE, is_bulk=True)
LANES = (INTERACTIVE, BULK)


def live_children(queue: str = PREDICTIONS) -> int:
    """Count the children of the nodes that consume a queue and sent a heartbeat lately."""
    alive = Worker.objects.filter(
        seen_at__gt=Now() - timedelta(seconds=WORKER_ALIVE_SECONDS), queues__contains=[queue]
    )
    return alive.aggregate(total=Sum("children"))["total"] or 0


def window(lane: Lane) -> int:
    """Say how many groups of a lane may be out; one while no node is known.

    Interactive groups wait for one child each. Bulk groups take children for long: while nodes
    serve both lanes, so few are out that even all of them on one node leave it a child.
    """
    return max(1, _children_for_bulk() if lane.is_bulk else live_children(lane.queue))


def _children_for_bulk() -> int:
    with connection.cursor() as cursor:
        cursor.execute(CHILDREN_FOR_BULK, [INTERACTIVE.queue, BULK.queue, WORKER_ALIVE_SECONDS])
        children: int = cursor.fetchone()[0]
    return children


CHILDREN_FOR_BULK = """
WITH alive AS (
    SELECT children, %s = ANY(queues) AS is_shared FROM predictions_worker
    WHERE %s = ANY(queues) AND seen_at > now() - make_interval(secs => %s)
)
SELECT coalesce(min(children - 1) FILTER (WHERE is_shared), sum(children), 0) FROM alive
"""


@dataclass(frozen=True, slots=True)
class Traffic:
    """A lane's groups that fill its window, and whether anything waits to be published in it."""

    open_groups: int
    has_waiting: bool


def traffic() -> dict[Lane, Traffic]:
    """Look at both lanes at once.

    A group is open that was published lately and is not claimed yet; in bulk those that are being
    predicted count too: they occupy children.
    """
    seen = TRAFFIC.run(settings.PREDICTION_BULK_ROWS, LOST_AFTER_SECONDS)
    return {lane: Traffic(*row) for lane, row in zip(LANES, seen, strict=True)}


TRAFFIC = Statement(
    "traffic",
    ["int", "float8"],
    """
SELECT
    (SELECT count(DISTINCT group_id) FROM predictions_prediction
     WHERE rows_total <= $1 AND status = 'starting'
       AND published_at > now() - make_interval(secs => $2)),
    EXISTS (SELECT FROM predictions_prediction
            WHERE rows_total <= $1 AND status = 'starting' AND published_at IS NULL)
UNION ALL
SELECT
    (SELECT count(DISTINCT group_id) FROM predictions_prediction
     WHERE rows_total > $1
       AND (status = 'starting' AND published_at > now() - make_interval(secs => $2)
            OR status = 'processing')),
    EXISTS (SELECT FROM predictions_prediction
            WHERE rows_total > $1 AND status = 'starting' AND published_at IS NULL)
""",
)
