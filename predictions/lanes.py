"""The only place that says which way a prediction travels, and how much may be under way there.

Small predictions are interactive, large ones go in bulk. What does not fit into a lane's
window stays in the table, where groups grow.
"""

from dataclasses import dataclass
from datetime import timedelta
from math import ceil

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
COUNTED_AT_MOST = 1_000


@dataclass(frozen=True, slots=True)
class Lane:
    """One of the two ways to the workers: a queue, and the predictions that go there."""

    queue: str
    is_bulk: bool


INTERACTIVE = Lane(PREDICTIONS, is_bulk=False)
BULK = Lane(BULK_QUEUE, is_bulk=True)
LANES = (INTERACTIVE, BULK)


def lane_of(queue: str | None) -> Lane | None:
    """Return the lane that goes through a queue, if one does."""
    return next((lane for lane in LANES if lane.queue == queue), None)


def live_children(queue: str = PREDICTIONS) -> int:
    """Count the children of the nodes that consume a queue and sent a heartbeat lately."""
    alive = Worker.objects.filter(
        seen_at__gt=Now() - timedelta(seconds=WORKER_ALIVE_SECONDS), queues__contains=[queue]
    )
    return alive.aggregate(total=Sum("children"))["total"] or 0


def window(lane: Lane) -> int:
    """Say for how many children groups of a lane may be out; for one while no node is known.

    Bulk groups take children for long: while nodes serve both lanes, so few are out that even
    all of them on one node leave it a child.
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
    """How many groups of a lane are open and begun, and how many predictions wait to be published.

    A group is open that was published lately and is not claimed yet. Of those that wait
    so many are counted that there is a share for each child.
    """

    open_groups: int
    begun_groups: int
    waiting: int

    @property
    def groups(self) -> int:
        return self.open_groups + self.begun_groups

    @property
    def is_counted(self) -> bool:
        """Whether all that waits is in the count."""
        return self.waiting < COUNTED_AT_MOST

    def room(self, lane: Lane, children: int) -> int:
        """Say how many groups may go out where so many children take them.

        Of interactive groups one is ready for each idle child, and for half of all children at
        least: some of those begun may be in nobody's hands until their lease ends. Bulk groups
        that are begun fill their window. While all work, the next groups grow.
        """
        idle = children - self.begun_groups
        wanted = idle if lane.is_bulk else max(idle, (children + 1) // 2)
        return wanted - self.open_groups

    def share(self, room: int) -> int:
        """Say how many of those that wait go out together where there is room for more groups.

        One group of all of them would leave the other children idle.
        """
        return ceil(self.waiting / max(1, room))


def traffic() -> dict[Lane, Traffic]:
    """Look at both lanes at once."""
    seen = TRAFFIC.run(settings.PREDICTION_BULK_ROWS, LOST_AFTER_SECONDS, COUNTED_AT_MOST)
    return {lane: Traffic(*row) for lane, row in zip(LANES, seen, strict=True)}


TRAFFIC = Statement(
    "traffic",
    ["int", "float8", "bigint"],
    """
WITH lane (is_bulk) AS (VALUES (false), (true)),
open AS (
    SELECT rows_total > $1 AS is_bulk, count(DISTINCT group_id) AS groups
    FROM predictions_prediction
    WHERE status = 'starting' AND published_at > now() - make_interval(secs => $2)
    GROUP BY 1
),
begun AS (
    SELECT rows_total > $1 AS is_bulk, count(DISTINCT group_id) AS groups
    FROM predictions_prediction WHERE status = 'processing' GROUP BY 1
)
SELECT coalesce(open.groups, 0), coalesce(begun.groups, 0),
    (SELECT count(*) FROM (
        SELECT FROM predictions_prediction
        WHERE status = 'starting' AND published_at IS NULL AND (rows_total > $1) = lane.is_bulk
        LIMIT $3
    ) AS waiting)
FROM lane LEFT JOIN open USING (is_bulk) LEFT JOIN begun USING (is_bulk)
ORDER BY lane.is_bulk
""",
)
