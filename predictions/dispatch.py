"""What relay and worker nodes write around a prediction: groups, claims given back, heartbeats."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from mlservice.lib.commits import WITHOUT_THE_DISK
from mlservice.lib.prepared import Statement, run_in_turn
from predictions.lanes import INTERACTIVE, Lane
from predictions.models import Prediction, PredictionQuerySet, Worker
from predictions.services import AS_CLAIM, Claim, Status
from predictions.submitting import submitted

# What one worker reads at once; a request alone is at most 1 MB.
GROUP_MAX_BYTES = 8_000_000
# A message that an idle child takes is claimed sooner.
MESSAGE_SECONDS = 0.02


class Group(NamedTuple):
    """Predictions that go out together, and the requests that asked for them."""

    ids: list[UUID]
    rows: int
    request_ids: list[str]


def mark_group(
    group_id: UUID,
    *,
    max_rows: int,
    max_predictions: int | None = None,
    lane: Lane = INTERACTIVE,
) -> Group:
    """Mark the next group of a lane's rows of one version published; without any it has no ids.

    Users take turns; what was tried before goes alone, so that a row which kills its
    process is found and its neighbours are spared.
    """
    limits = max_rows, GROUP_MAX_BYTES, settings.PREDICTION_BULK_ROWS
    chosen_by = group_id, *limits, lane.is_bulk, max_predictions
    marked = run_in_turn(WITHOUT_THE_DISK, (MARK_GROUP, *chosen_by))
    ids, rows, asked_by = zip(*marked, strict=True) if marked else ((), (), ())
    return Group(list(ids), sum(rows), list(asked_by))


def take_group(
    lane: Lane, *, group_id: UUID, claimed_by: str, gives_way: bool = False
) -> list[Claim]:
    """Mark and claim at once what waits in a lane, as part of the group a child is at already.

    To the relay the child is as busy as before. One that gives way takes nothing while a message
    waits, for there may be no other child to go to it. What a crash of the database undoes waits
    unmarked again; of two that then hold the same attempt, one can settle.
    """
    limits = settings.PREDICTION_GROUP_MAX_ROWS, GROUP_MAX_BYTES, settings.PREDICTION_BULK_ROWS
    lease = claimed_by, settings.PREDICTION_LEASE_SECONDS
    patience = MESSAGE_SECONDS if gives_way else None
    chosen_by = group_id, *limits, lane.is_bulk, None
    taken = run_in_turn(WITHOUT_THE_DISK, (TAKE_GROUP, *chosen_by, *lease, patience))
    return [Claim(*row) for row in taken]


# What goes together next. Ranking and locking stand apart: FOR UPDATE is refused beside a window
# function.
CHOSEN = """
WITH ranked AS (
    SELECT id, version_id, attempt, rows_total, octet_length(input) AS bytes,
           row_number() OVER (PARTITION BY user_id ORDER BY id) AS turn
    FROM predictions_prediction
    WHERE status = 'starting' AND published_at IS NULL AND (rows_total > $4) = $5
      AND (deadline IS NULL OR deadline > statement_timestamp())
), head AS (
    SELECT id, version_id, attempt FROM ranked ORDER BY attempt > 0 DESC, turn, id LIMIT 1
), candidate AS (
    SELECT ranked.id,
           sum(ranked.rows_total) OVER (ORDER BY ranked.turn, ranked.id) AS rows_so_far,
           sum(ranked.bytes) OVER (ORDER BY ranked.turn, ranked.id) AS bytes_so_far,
           row_number() OVER (ORDER BY ranked.turn, ranked.id) AS place
    FROM ranked, head
    WHERE ranked.version_id = head.version_id
      AND CASE WHEN head.attempt > 0 THEN ranked.id = head.id ELSE ranked.attempt = 0 END
), chosen AS (
    SELECT id FROM predictions_prediction
    WHERE id IN (
        SELECT id FROM candidate
        WHERE rows_so_far <= $2 AND bytes_so_far <= $3 AND ($6 IS NULL OR place <= $6)
        UNION SELECT id FROM head
    ) AND status = 'starting' AND published_at IS NULL
    ORDER BY id FOR UPDATE SKIP LOCKED
)
"""
CHOSEN_BY = ("uuid", "bigint", "bigint", "int", "bool", "bigint")
MARK_GROUP = Statement(
    "mark_group",
    CHOSEN_BY,
    CHOSEN
    + """
UPDATE predictions_prediction AS prediction
SET published_at = clock_timestamp(), group_id = $1
FROM chosen WHERE prediction.id = chosen.id
RETURNING prediction.id, prediction.rows_total, prediction.request_id
""",
)
TAKE_GROUP = Statement(
    "take_group",
    (*CHOSEN_BY, "text", "float8", "float8"),
    CHOSEN
    + """
UPDATE predictions_prediction AS prediction
SET published_at = clock_timestamp(), group_id = $1,
    status = 'processing', attempt = prediction.attempt + 1, claimed_by = $7,
    started_at = coalesce(started_at, statement_timestamp()),
    lease_expires_at = statement_timestamp() + make_interval(secs => $8)
FROM chosen WHERE prediction.id = chosen.id
  AND NOT EXISTS (
    SELECT FROM predictions_prediction
    WHERE status = 'starting'
      AND published_at < statement_timestamp() - make_interval(secs => $9)
  )
"""
    + AS_CLAIM,
)


def a_message_waits() -> bool:
    """Say whether anything is published that nobody has claimed."""
    [(waits,)] = MESSAGE_WAITS.run()
    return bool(waits)


MESSAGE_WAITS = Statement(
    "message_waits",
    [],
    """
SELECT EXISTS (
    SELECT FROM predictions_prediction WHERE status = 'starting' AND published_at IS NOT NULL
)
""",
)


def unpublish_group(group_id: UUID) -> None:
    """Take back a group the broker refused, so that the next round publishes it again."""
    return_to_queue(Prediction.objects.filter(group_id=group_id, status=Status.STARTING))


def give_back(claims: Sequence[Claim]) -> None:
    """Let go of claims that are still current; each is published again, alone."""
    for one in claims:
        current = Prediction.objects.filter(
            pk=one.id, attempt=one.attempt, status=Status.PROCESSING
        )
        return_to_queue(current)


def end_leases(*, group_id: UUID, claimed_by: str) -> int:
    """End at once the leases that a lost process holds on a group; return how many.

    The reaper then does what it does with any lease that ran out.
    """
    held = Prediction.objects.filter(
        group_id=group_id, claimed_by=claimed_by, status=Status.PROCESSING
    )
    free = held.order_by("pk").select_for_update(skip_locked=True)
    with transaction.atomic():
        return Prediction.objects.filter(pk__in=free.values("pk")).update(lease_expires_at=Now())


@transaction.atomic
def return_to_queue(wanted: PredictionQuerySet) -> int:
    """Make predictions wait unpublished again, all but those somebody is writing just now.

    The relay is woken. Rows are locked by id, as claim and settlement do, or they could deadlock.
    """
    free = wanted.order_by("pk").select_for_update(skip_locked=True)
    returned = Prediction.objects.filter(pk__in=free.values("pk")).update(
        status=Status.STARTING,
        published_at=None,
        group_id=None,
        lease_expires_at=None,
        claimed_by="",
    )
    if returned:
        transaction.on_commit(submitted.send)
    return returned


def record_heartbeat(*, name: str, children: int, queues: Sequence[str]) -> None:
    """Note that a worker node lives; the relay's windows count its children."""
    Worker.objects.update_or_create(
        name=name, defaults={"children": children, "queues": list(queues), "seen_at": Now()}
    )


def forget_worker(*, name: str) -> None:
    """Remove a node that stopped in order, so that its children are not waited for."""
    Worker.objects.filter(name=name).delete()
