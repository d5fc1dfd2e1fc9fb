"""What clients and workers write on predictions: submit, claim, settle, cancel."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now

from billing import services as billing
from billing.models import Wallet
from ml_models.models import ModelVersion
from ml_models.selectors import check_rows, find_serving_version
from mlservice.lib.errors import InvalidRequest
from mlservice.lib.failpoints import failpoint
from mlservice.lib.idempotency import NO_KEY, IdempotencyKey, patience, replayed
from mlservice.lib.ids import new_id
from mlservice.lib.wakeup import Wakeup
from predictions import selectors
from predictions.errors import (
    AccountDisabled,
    AlreadyDiscarded,
    AlreadyFinished,
    InvalidFeatures,
    QueueFull,
    TooManyRows,
)
from predictions.models import DeadLetter, Prediction

Status = Prediction.Status

submitted = Wakeup("prediction_submitted")


@dataclass(frozen=True, slots=True)
class Submission:
    """Rows that passed the gate: what will be predicted, by which version, for how much."""

    version: ModelVersion
    input: Any
    rows_total: int
    rows_valid: int
    price: int
    explain: bool = False

    @property
    def amount(self) -> int:
        return self.rows_valid * self.price


@dataclass(frozen=True, slots=True)
class Claim:
    """One prediction in a worker's hands; `attempt` is its right to settle."""

    id: UUID
    attempt: int
    version_id: int
    price: int
    input: str
    explain: bool = False


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


def prepare_submission(
    *,
    model: str,
    version: int | None = None,
    input: Any,
    explain: bool = False,
    user_id: int | None = None,
) -> Submission:
    """Check rows against the version they are meant for, writing nothing.

    Without a number it is the version that serves this user. input: one row (object) or a list
    of 1 to 1,000 rows. Raise ModelNotFound, VersionRetired, VersionBroken, TooManyRows,
    ExplanationsNotOffered, or InvalidFeatures when no row is valid.
    """
    chosen = find_serving_version(slug=model, number=version, user_id=user_id)
    price = chosen.price_of_row(explain=explain)
    rows = as_rows(input)
    checked = check_rows(version=chosen, rows=rows)
    if not checked.valid:
        raise InvalidFeatures(
            "No row fits the model's schema. Mend the rows as `errors` says and send them again.",
            errors=[
                {"index": index, **msgspec.to_builtins(error)}
                for index, errors in checked.errors.items()
                for error in errors
            ][: settings.PREDICTION_MAX_ERRORS],
        )
    return Submission(chosen, input, checked.total, checked.valid, price, explain)


def as_rows(input: Any) -> list[Any]:
    """Take one row or many as a list of rows; refuse emptiness and excess."""
    rows = input if isinstance(input, list) else [input]
    if not rows or input is None:
        raise InvalidRequest("`input` must be one row (an object) or a list of rows.")
    if len(rows) > settings.PREDICTION_MAX_ROWS:
        raise TooManyRows(
            f"{len(rows)} rows were sent and {settings.PREDICTION_MAX_ROWS} are the most."
        )
    return rows


def submit_prediction(
    *,
    user_id: int,
    submission: Submission,
    source: str,
    metadata: dict[str, str] | None = None,
    request_id: str = "",
    prediction_id: UUID | None = None,
    key: IdempotencyKey = NO_KEY,
    cancel_after_seconds: int | None = None,
) -> Prediction:
    """Accept a prediction: in one transaction reserve its price and store it.

    What has not finished `cancel_after_seconds` later ends canceled and free.
    A key that was used before gives the prediction it made, with `is_replayed` set. Raise
    InsufficientCredits, WalletFrozen, SpendingCapReached, AccountDisabled, QueueFull or
    IdempotencyMismatch; nothing is stored then.
    """
    if selectors.backlog() >= settings.PREDICTION_BACKLOG_LIMIT:
        raise QueueFull("Too many predictions wait already. Nothing was charged; try again.")
    prediction_id = prediction_id or new_id()
    wallet_id = billing.wallet_of(user_id).pk
    with patience(key), transaction.atomic():
        wallet = lock_payer(wallet_id)
        # Its twin may have committed while this one waited for the wallet.
        if found := replayed_prediction(user_id=user_id, key=key):
            return found
        hold = billing.place_hold(
            wallet=wallet, amount=submission.amount, reference=("prediction", str(prediction_id))
        )
        prediction = Prediction.objects.create(
            id=prediction_id,
            user_id=user_id,
            version=submission.version,
            hold=hold,
            source=source,
            input=msgspec.json.encode(submission.input).decode(),
            rows_total=submission.rows_total,
            rows_valid=submission.rows_valid,
            price=submission.price,
            explain=submission.explain,
            metadata=metadata or {},
            request_id=request_id,
            idempotency_key=key.value,
            fingerprint=key.fingerprint,
        )
        if cancel_after_seconds is not None:
            # Counted from the database's clock, as everything that ends by time.
            prediction.deadline = prediction.created_at + timedelta(seconds=cancel_after_seconds)
            prediction.save(update_fields=["deadline"])
    # A NOTIFY inside the transaction would serialise every commit.
    submitted.send()
    return prediction


def replayed_prediction(*, user_id: int | None, key: IdempotencyKey) -> Prediction | None:
    """Find what the user's earlier request with this key made, as it is now."""
    return replayed(Prediction.objects.for_user(user_id).with_version(), key)


def lock_payer(wallet_id: int) -> Wallet:
    """Lock the paying wallet; a user disabled since signing in is refused here."""
    wallet = billing.lock_wallet(wallet_id=wallet_id)
    if not wallet.user.is_active:
        raise AccountDisabled("This account is disabled. Ask the operator.")
    return wallet


def claim(
    prediction_ids: Sequence[UUID], *, group_id: UUID | None = None, claimed_by: str = ""
) -> list[Claim]:
    """Take what is still `starting` of these, each under a new attempt and a lease.

    Time is the database's; a second delivery of the same ids finds nothing left. With a
    `group_id` only what is still in that group is taken: a message that comes again after
    its rows were given back must not bring together what is to go alone.
    """
    failpoint("claim_1")
    with connection.cursor() as cursor:
        cursor.execute(
            CLAIM,
            {
                "ids": list(prediction_ids),
                "group_id": group_id,
                "claimed_by": claimed_by,
                "lease_seconds": settings.PREDICTION_LEASE_SECONDS,
            },
        )
        claims = [Claim(*row) for row in cursor.fetchall()]
    failpoint("claim_2")
    return claims


CLAIM = """
WITH free AS (
    SELECT id FROM predictions_prediction
    WHERE id = ANY(%(ids)s) AND status = 'starting'
      AND (%(group_id)s::uuid IS NULL OR group_id = %(group_id)s)
      AND (deadline IS NULL OR deadline > statement_timestamp())
    ORDER BY id FOR UPDATE
)
UPDATE predictions_prediction AS prediction
SET status = 'processing', attempt = attempt + 1, claimed_by = %(claimed_by)s,
    started_at = coalesce(started_at, statement_timestamp()),
    lease_expires_at = statement_timestamp() + make_interval(secs => %(lease_seconds)s)
FROM free WHERE prediction.id = free.id
RETURNING prediction.id, prediction.attempt, prediction.version_id, prediction.price,
          prediction.input, prediction.explain
"""


def settle(outcomes: Iterable[Outcome], *, expected: str = Status.PROCESSING) -> int:
    """End predictions and resolve their holds in one set-based transaction; return how many.

    Only a prediction that still has the `expected` status and the outcome's attempt is
    touched, so a worker whose lease was given to another changes nothing. A prediction
    whose cancel was asked meanwhile, or whose deadline passed, ends canceled and free.
    """
    ordered = sorted(outcomes, key=lambda outcome: outcome.id)
    if not ordered:
        return 0
    ids = [outcome.id for outcome in ordered]
    hold_ids = list(Prediction.objects.filter(pk__in=ids).values_list("hold_id", flat=True))
    with transaction.atomic():
        billing.lock_wallets(hold_ids=hold_ids)
        failpoint("settle_1")
        resolutions = [billing.Resolution(*row) for row in _finish(ordered, expected)]
        failpoint("settle_2")
        billing.resolve_holds(resolutions)
        with connection.cursor() as cursor:
            cursor.execute("NOTIFY prediction_finished")
        failpoint("settle_3")
    failpoint("settle_4")
    return len(resolutions)


def _finish(outcomes: list[Outcome], expected: str) -> list[tuple[int, int]]:
    """Write the outcomes by compare-and-set; give (hold, captured credits) of each written."""
    columns = [
        [getattr(outcome, name) for outcome in outcomes] for name in Outcome.__dataclass_fields__
    ]
    with connection.cursor() as cursor:
        cursor.execute(FINISH, [*columns, expected])
        return [(hold_id, cost) for hold_id, cost in cursor.fetchall()]


FINISH = """
WITH outcome AS (
    SELECT * FROM unnest(%s::uuid[], %s::int[], %s::text[], %s::bigint[], %s::text[],
                         %s::text[], %s::text[], %s::float8[])
        AS outcome (id, attempt, status, cost, output, error, error_code, predict_seconds)
), current AS (
    SELECT outcome.*, prediction.cancel_requested_at IS NOT NULL
           OR coalesce(prediction.deadline <= statement_timestamp(), false) AS is_canceled
    FROM outcome JOIN predictions_prediction AS prediction USING (id)
    WHERE prediction.status = %s AND prediction.attempt = outcome.attempt
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
    completed_at = statement_timestamp()
FROM current WHERE prediction.id = current.id
RETURNING prediction.hold_id, prediction.cost
"""


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
