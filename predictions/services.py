"""What workers and clients write on accepted predictions: claim, settle, cancel."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from billing import services as billing
from mlservice.lib.failpoints import failpoint
from mlservice.lib.logging import few
from mlservice.lib.prepared import Statement
from mlservice.lib.tracing import step
from predictions import counting, endings
from predictions.endings import Ending
from predictions.errors import AlreadyDiscarded, AlreadyFinished
from predictions.models import HELD_FOR, DeadLetter, Prediction

logger = structlog.get_logger(__name__)

Status = Prediction.Status


@dataclass(frozen=True, slots=True)
class Claim:
    """One prediction in a worker's hands; `attempt` is its right to settle."""

    id: UUID
    attempt: int
    version_id: int
    price: int
    input: str
    explain: bool = False
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one prediction ends. `attempt` must still be current, or nothing happens."""

    id: UUID
    attempt: int
    status: str
    cost: int = 0
    output: str | None = None
    error: str = ""
    error_code: str = ""
    predict_seconds: float | None = None


class Settled(NamedTuple):
    """A prediction that a settlement has ended: how, and what it always was."""

    hold_id: int
    version_id: int
    request_id: str
    ending: Ending


@step("claim")
@counting.claim_seconds.time()
def claim(
    prediction_ids: Sequence[UUID], *, group_id: UUID | None = None, claimed_by: str = ""
) -> list[Claim]:
    """Take what is still `starting` of these, each under a new attempt and a lease.

    Time is the database's; a second delivery of the same ids finds nothing left. With a
    `group_id` only what is still in that group is taken: a message that comes again after
    its rows were given back must not bring together what is to go alone.
    """
    failpoint("claim_1")
    taken = CLAIM.run(list(prediction_ids), group_id, claimed_by, settings.PREDICTION_LEASE_SECONDS)
    failpoint("claim_2")
    return [Claim(*row) for row in taken]


# What a `Claim` is made of, in its order.
AS_CLAIM = """
RETURNING prediction.id, prediction.attempt, prediction.version_id, prediction.price,
          prediction.input, prediction.explain, prediction.request_id
"""
CLAIM_FREE = """
WITH free AS (
    SELECT id FROM predictions_prediction
    WHERE id = ANY($1) AND status = 'starting'
      AND ($2 IS NULL OR group_id = $2)
      AND (deadline IS NULL OR deadline > statement_timestamp())
    ORDER BY id FOR UPDATE
)
UPDATE predictions_prediction AS prediction
SET status = 'processing', attempt = attempt + 1, claimed_by = $3,
    started_at = coalesce(started_at, statement_timestamp()),
    lease_expires_at = statement_timestamp() + make_interval(secs => $4)
FROM free WHERE prediction.id = free.id"""
CLAIM = Statement("claim_predictions", ["uuid[]", "uuid", "text", "float8"], CLAIM_FREE + AS_CLAIM)


@step("settle")
@counting.settle_seconds.time()
def settle(outcomes: Iterable[Outcome], *, expected: str = Status.PROCESSING) -> int:
    """End predictions and resolve their holds in one set-based transaction; return how many.

    Only a prediction that still has the `expected` status and the outcome's attempt is
    touched, so a worker whose lease was given to another changes nothing. A prediction
    whose cancel was asked meanwhile, or whose deadline passed, ends canceled and free: up to when
    the wallets are locked.
    """
    ordered = sorted(outcomes, key=lambda outcome: outcome.id)
    if not ordered:
        return 0
    with transaction.atomic():
        failpoint("settle_1")
        finished = _finish(ordered, expected)
        failpoint("settle_2")
        billing.resolve_holds(
            (billing.Resolution(one.hold_id, one.ending.cost) for one in finished),
            then=endings.announcing([one.ending for one in finished]),
        )
        failpoint("settle_3")
    if finished:
        counting.ended((one.version_id, one.ending) for one in finished)
        logger.info("predictions_settled", count=len(finished), **_told(finished))
    failpoint("settle_4")
    return len(finished)


def _told(settled: Sequence[Settled]) -> dict[str, list[Any]]:
    """Say how and for whom, for whoever looks for one of them in the log."""
    return {
        "ended_as": sorted({str(one.ending.error_code or one.ending.status) for one in settled}),
        "version_ids": sorted({one.version_id for one in settled}),
        **few(
            prediction_ids=[str(one.ending.id) for one in settled],
            request_ids=[one.request_id for one in settled],
        ),
    }


def _finish(outcomes: list[Outcome], expected: str) -> list[Settled]:
    """Lock the wallets, then write the outcomes by compare-and-set; give what was written."""
    columns = [
        [getattr(outcome, name) for outcome in outcomes] for name in Outcome.__dataclass_fields__
    ]
    by_id = {outcome.id: outcome for outcome in outcomes}
    rows = billing.lock_wallets(
        reference_type=HELD_FOR,
        reference_ids=[str(outcome.id) for outcome in outcomes],
        then=[(FINISH, *columns, expected)],
    )
    return [
        Settled(hold_id, version_id, request_id, _ending(by_id[prediction_id], *written))
        for hold_id, version_id, request_id, prediction_id, *written in rows
    ]


def _ending(
    outcome: Outcome,
    is_canceled: bool,
    cost: int,
    started_at: datetime | None,
    completed_at: datetime,
    cancel_requested_at: datetime | None,
) -> Ending:
    return Ending(
        id=outcome.id,
        status=Status.CANCELED if is_canceled else outcome.status,
        output=None if is_canceled else outcome.output,
        error="" if is_canceled else outcome.error,
        error_code="" if is_canceled else outcome.error_code,
        cost=cost,
        predict_seconds=outcome.predict_seconds,
        started_at=started_at,
        completed_at=completed_at,
        cancel_requested_at=cancel_requested_at,
    )


FINISH = Statement(
    "finish_predictions",
    ["uuid[]", "int[]", "text[]", "bigint[]", "text[]", "text[]", "text[]", "float8[]", "text"],
    """
WITH outcome AS (
    SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8)
        AS outcome (id, attempt, status, cost, output, error, error_code, predict_seconds)
), moment AS MATERIALIZED (
    -- The message's own time may be from before a lock that it waited for.
    SELECT clock_timestamp() AS now
), current AS (
    SELECT outcome.*, moment.now, prediction.cancel_requested_at IS NOT NULL
           OR coalesce(prediction.deadline <= moment.now, false) AS is_canceled
    FROM moment, outcome JOIN predictions_prediction AS prediction USING (id)
    WHERE prediction.status = $9 AND prediction.attempt = outcome.attempt
    ORDER BY prediction.id FOR UPDATE OF prediction
)
UPDATE predictions_prediction AS prediction
SET status = CASE WHEN is_canceled THEN 'canceled' ELSE current.status END,
    cost = CASE WHEN is_canceled THEN 0 ELSE current.cost END,
    output = CASE WHEN is_canceled THEN NULL ELSE current.output END,
    error = CASE WHEN is_canceled THEN '' ELSE current.error END,
    error_code = CASE WHEN is_canceled THEN '' ELSE current.error_code END,
    predict_seconds = current.predict_seconds,
    lease_expires_at = NULL,
    completed_at = current.now
FROM current WHERE prediction.id = current.id
RETURNING prediction.hold_id, prediction.version_id, prediction.request_id, prediction.id,
          is_canceled, prediction.cost, prediction.started_at, prediction.completed_at,
          prediction.cancel_requested_at
""",
)


def cancel_prediction(*, prediction: Prediction) -> Prediction:
    """Cancel what has not finished: at once while it waits, at settlement while it runs.

    Raise AlreadyFinished for a prediction that succeeded or failed.
    """
    waiting = Outcome(prediction.pk, prediction.attempt, Status.CANCELED)
    if not settle([waiting], expected=Status.STARTING):
        running = Prediction.objects.filter(pk=prediction.pk, status=Status.PROCESSING)
        running.filter(cancel_requested_at=None).update(cancel_requested_at=Now())
    prediction.refresh_from_db()
    if prediction.status in {Status.SUCCEEDED, Status.FAILED}:
        raise AlreadyFinished(f"This prediction has {prediction.status} already.")
    if prediction.status == Status.STARTING:
        return cancel_prediction(prediction=prediction)
    return prediction


def discard_dead_letter(*, letter: DeadLetter, actor_id: int) -> None:
    """Put a dead letter aside, once, by somebody. Raise AlreadyDiscarded otherwise."""
    waiting = DeadLetter.objects.filter(pk=letter.pk, discarded_at=None)
    if not waiting.update(discarded_at=Now(), discarded_by_id=actor_id):
        raise AlreadyDiscarded
