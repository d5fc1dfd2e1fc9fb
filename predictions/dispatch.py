"""What relay, reaper and worker nodes write around a prediction: groups, leases, heartbeats."""

from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now

from predictions import selectors
from predictions.models import Prediction, PredictionQuerySet, Worker
from predictions.services import Outcome, Status, settle

# What one worker reads at once; a request alone is at most 1 MB.
GROUP_MAX_BYTES = 8_000_000


def mark_group(group_id: UUID, *, max_rows: int) -> tuple[list[UUID], int]:
    """Mark the next group of rows of one version published; return its ids and their rows.

    Users take turns; what was tried before goes alone, so that a row which kills its
    process is found and its neighbours are spared.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            MARK_GROUP,
            {"group_id": group_id, "max_rows": max_rows, "max_bytes": GROUP_MAX_BYTES},
        )
        marked = cursor.fetchall()
    return [row[0] for row in marked], sum(row[1] for row in marked)


# Ranking and locking stand apart: FOR UPDATE is refused beside a window function.
MARK_GROUP = """
WITH ranked AS (
    SELECT id, version_id, attempt, rows_total, octet_length(input) AS bytes,
           row_number() OVER (PARTITION BY user_id ORDER BY id) AS turn
    FROM predictions_prediction
    WHERE status = 'starting' AND published_at IS NULL
), head AS (
    SELECT id, version_id, attempt FROM ranked ORDER BY attempt > 0 DESC, turn, id LIMIT 1
), candidate AS (
    SELECT ranked.id,
           sum(ranked.rows_total) OVER (ORDER BY ranked.turn, ranked.id) AS rows_so_far,
           sum(ranked.bytes) OVER (ORDER BY ranked.turn, ranked.id) AS bytes_so_far
    FROM ranked, head
    WHERE ranked.version_id = head.version_id
      AND CASE WHEN head.attempt > 0 THEN ranked.id = head.id ELSE ranked.attempt = 0 END
), chosen AS (
    SELECT id FROM predictions_prediction
    WHERE id IN (
        SELECT id FROM candidate
        WHERE rows_so_far <= %(max_rows)s AND bytes_so_far <= %(max_bytes)s
        UNION SELECT id FROM head
    ) AND status = 'starting' AND published_at IS NULL
    ORDER BY id FOR UPDATE SKIP LOCKED
)
UPDATE predictions_prediction AS prediction
SET published_at = clock_timestamp(), group_id = %(group_id)s
FROM chosen WHERE prediction.id = chosen.id
RETURNING prediction.id, prediction.rows_total
"""


def return_expired_leases() -> int:
    """Give predictions whose worker vanished back to the queue, while attempts remain."""
    expired = Prediction.objects.filter(
        status=Status.PROCESSING,
        lease_expires_at__lt=Now(),
        attempt__lt=settings.PREDICTION_MAX_ATTEMPTS,
        cancel_requested_at=None,
    )
    return _return_to_queue(expired)


def fail_exhausted() -> int:
    """Fail what lost its worker on the last attempt; what was asked to cancel ends canceled."""
    expired = Prediction.objects.filter(status=Status.PROCESSING, lease_expires_at__lt=Now())
    gone = expired.exclude(
        attempt__lt=settings.PREDICTION_MAX_ATTEMPTS, cancel_requested_at=None
    ).values_list("pk", "attempt")
    return settle(
        Outcome(
            id,
            attempt,
            Status.FAILED,
            error=f"The worker was lost {attempt} times while it predicted. Nothing was charged.",
            error_code="attempts_exhausted",
        )
        for id, attempt in gone[: selectors.REAP_AT_MOST]
    )


def expire_old() -> int:
    """Fail predictions that waited longer than PREDICTION_MAX_AGE_SECONDS and release them."""
    old = selectors.starting_longer_than(settings.PREDICTION_MAX_AGE_SECONDS)
    return settle(
        (
            Outcome(
                id,
                attempt,
                Status.FAILED,
                error="The prediction waited too long. Nothing was charged; send it again.",
                error_code="expired",
            )
            for id, attempt in old.values_list("pk", "attempt")[: selectors.REAP_AT_MOST]
        ),
        expected=Status.STARTING,
    )


def unpublish_lost(*, window: int) -> int:
    """Take back groups that nobody claimed in 30 seconds, while there is room for new ones."""
    if selectors.open_groups() >= window:
        return 0
    lost = selectors.published_longer_than(selectors.LOST_AFTER_SECONDS)
    return _return_to_queue(lost)


def unpublish_group(group_id: UUID) -> None:
    """Take back a group the broker refused, so that the next round publishes it again."""
    _return_to_queue(Prediction.objects.filter(group_id=group_id, status=Status.STARTING))


@transaction.atomic
def _return_to_queue(wanted: PredictionQuerySet) -> int:
    """Make predictions wait unpublished again, all but those somebody is writing just now.

    Rows are locked by id, as claim and settlement do, or the two could deadlock.
    """
    free = wanted.order_by("pk").select_for_update(skip_locked=True)
    return Prediction.objects.filter(pk__in=free.values("pk")).update(
        status=Status.STARTING, published_at=None, group_id=None, lease_expires_at=None
    )


def record_heartbeat(*, name: str, children: int) -> None:
    """Note that a worker node lives; the relay's window counts its children."""
    Worker.objects.update_or_create(name=name, defaults={"children": children, "seen_at": Now()})


def forget_worker(*, name: str) -> None:
    """Remove a node that stopped in order, so that its children are not waited for."""
    Worker.objects.filter(name=name).delete()
