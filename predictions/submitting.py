"""What clients write on predictions: rows that pass the gate are accepted, their price held."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import transaction

from billing import services as billing
from billing.errors import NotSignedIn
from billing.models import Wallet
from ml_models.models import ModelVersion
from ml_models.selectors import check_rows, find_serving_version
from mlservice.lib.errors import InvalidRequest
from mlservice.lib.idempotency import (
    NO_KEY,
    IdempotencyKey,
    IdempotencyMismatch,
    patience,
    recognised,
    replayed,
)
from mlservice.lib.ids import new_id
from mlservice.lib.prepared import Statement
from mlservice.lib.wakeup import Wakeup
from predictions import selectors
from predictions.errors import AccountDisabled, InvalidFeatures, QueueFull, TooManyRows
from predictions.models import HELD_FOR, Prediction

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


@dataclass(slots=True)
class Order:
    """What one client wants predicted, paid and kept; `text` is its input as it is stored.

    What has not finished `cancel_after_seconds` later ends canceled and free. `refusal` is asked
    about the user as locked with the wallet: what it returns refuses the order.
    """

    user_id: int
    submission: Submission
    source: str
    metadata: dict[str, str] | None = None
    request_id: str = ""
    prediction_id: UUID = field(default_factory=new_id)
    key: IdempotencyKey = NO_KEY
    cancel_after_seconds: int | None = None
    refusal: Callable[[Any], Exception | None] = lambda user: None
    text: str = field(init=False)

    def __post_init__(self) -> None:
        if self.user_id is None:
            raise NotSignedIn
        self.text = msgspec.json.encode(self.submission.input).decode()

    @property
    def only_once(self) -> tuple[int, str] | None:
        """What makes two orders one: the user and the key; None without a key."""
        return None if self.key.value is None else (self.user_id, self.key.value)


# An order with the credits that are reserved for it.
Reserved = tuple[Order, billing.Reservation]


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
        raise InvalidRequest("`input` must be one row (an object) or a list of at least one row.")
    if len(rows) > settings.PREDICTION_MAX_ROWS:
        raise TooManyRows(
            f"{len(rows)} rows were sent and {settings.PREDICTION_MAX_ROWS} are the most."
            " Send them in several requests."
        )
    return rows


def submit_prediction(**order: Any) -> Prediction:
    """Accept a prediction: in one transaction reserve its price and store it.

    It takes what an `Order` takes. A key that was used before gives the prediction it made, with
    `is_replayed` set. Raise InsufficientCredits, WalletFrozen, SpendingCapReached,
    AccountDisabled, QueueFull or IdempotencyMismatch; nothing is stored then.
    """
    return submit_order(Order(**order))


def submit_order(order: Order) -> Prediction:
    with patience(order.key):
        [answer] = submit_predictions([order])
    if isinstance(answer, Exception):
        raise answer
    return answer


def submit_predictions(
    orders: Sequence[Order], *, lock_ms: int | None = None
) -> list[Prediction | Exception]:
    """Accept orders in one transaction; give each its prediction, or the refusal that it met.

    A refusal of one touches no other. No two may have the same user and the same key. lock_ms: how
    long the transaction may wait for a lock; after that PostgreSQL says LockNotAvailable.
    """
    if selectors.backlog() >= settings.PREDICTION_BACKLOG_LIMIT:
        full = "Too many predictions wait already. Nothing was charged; try again."
        return [QueueFull(full) for _ in orders]
    answers: dict[UUID, Prediction | Exception] = {}
    # What raises here takes all of it back, so that an outer transaction needs no savepoint.
    with transaction.atomic(savepoint=False):
        payers = billing.lock_payers((one.user_id for one in orders), lock_ms=lock_ms)
        # Looked for under the lock: a twin may have committed while this one waited for it.
        answers |= replayed_predictions(orders)
        answers |= refused_payers(orders, payers)
        wanted = [one for one in orders if one.prediction_id not in answers]
        reserved, refused = reserved_credits(wanted, payers)
        answers |= refused
        answers |= stored_predictions(reserved)
        # A NOTIFY inside the transaction would serialise every commit, and who limits how long it
        # waits for a lock has begun one around this.
        transaction.on_commit(submitted.send)
    return [answers[one.prediction_id] for one in orders]


def refused_payers(orders: Sequence[Order], payers: Mapping[int, Wallet]) -> dict[UUID, Exception]:
    """Refuse whose user was disabled, removed or signed out since the request came in."""
    asked = {one.prediction_id: refused_payer(one, payers.get(one.user_id)) for one in orders}
    return {prediction_id: refusal for prediction_id, refusal in asked.items() if refusal}


def refused_payer(one: Order, wallet: Wallet | None) -> Exception | None:
    if wallet is not None and (refusal := one.refusal(wallet.user)):
        return refusal
    if wallet is None or not wallet.user.is_active:
        return AccountDisabled("This account is disabled. Ask the operator.")
    return None


def reserved_credits(
    wanted: Sequence[Order], payers: Mapping[int, Wallet]
) -> tuple[list[Reserved], dict[UUID, Exception]]:
    """Reserve the price of each, one after another; return those reserved, and the refusals."""
    reserved: list[Reserved] = []
    refused: dict[UUID, Exception] = {}
    for one in wanted:
        reservation = reservation_for(one, payers)
        if refusal := billing.reserve(reservation):
            refused[one.prediction_id] = refusal
        else:
            reserved.append((one, reservation))
    return reserved, refused


def reservation_for(one: Order, payers: Mapping[int, Wallet]) -> billing.Reservation:
    reference = (HELD_FOR, str(one.prediction_id))
    return billing.Reservation(payers[one.user_id], one.submission.amount, reference)


def stored_predictions(reserved: Sequence[Reserved]) -> dict[UUID, Prediction]:
    """Write predictions and their holds in one message; times are the database's."""
    if not reserved:
        return {}
    predictions = {one.prediction_id: prediction_of(one) for one, _ in reserved}
    reservations = {one.prediction_id: reservation for one, reservation in reserved}
    columns = [
        [getattr(prediction, name) for prediction in predictions.values()] for name in WRITTEN
    ]
    metadata = [msgspec.json.encode(made.metadata).decode() for made in predictions.values()]
    patience_seconds = [one.cancel_after_seconds for one, _ in reserved]
    store = STORE, *columns, metadata, patience_seconds, HELD_FOR
    written = billing.write_holds(list(reservations.values()), then=[store])
    for prediction_id, hold_id, created_at, deadline in written:
        prediction = predictions[prediction_id]
        prediction.hold = reservations[prediction_id].as_hold(hold_id)
        prediction.created_at, prediction.deadline = created_at, deadline
    return predictions


def prediction_of(one: Order) -> Prediction:
    submission = one.submission
    return Prediction(
        id=one.prediction_id,
        user_id=one.user_id,
        version=submission.version,
        source=one.source,
        input=one.text,
        rows_total=submission.rows_total,
        rows_valid=submission.rows_valid,
        price=submission.price,
        explain=submission.explain,
        metadata=one.metadata or {},
        request_id=one.request_id,
        idempotency_key=one.key.value,
        fingerprint=one.key.fingerprint,
    )


WRITTEN = (
    *("id", "user_id", "version_id", "source", "input", "rows_total", "rows_valid"),
    *("price", "explain", "request_id", "idempotency_key", "fingerprint"),
)
STORE = Statement(
    "store_predictions",
    [
        *("uuid[]", "bigint[]", "bigint[]", "text[]", "text[]", "int[]", "int[]"),
        *("bigint[]", "bool[]", "text[]", "text[]", "text[]", "jsonb[]", "float8[]", "text"),
    ],
    """
WITH accepted AS (
    SELECT * FROM unnest(
        $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14
    ) AS accepted (
        id, user_id, version_id, source, input, rows_total,
        rows_valid, price, explain, request_id, idempotency_key, fingerprint, metadata,
        cancel_after_seconds
    )
)
INSERT INTO predictions_prediction (
    id, user_id, version_id, hold_id, source, input, rows_total, rows_valid, price, explain,
    request_id, idempotency_key, fingerprint, metadata, deadline,
    status, error, error_code, cost, attempt, data_removed
)
SELECT id, user_id, version_id,
       (SELECT hold.id FROM billing_hold AS hold
        WHERE hold.reference_type = $15 AND hold.reference_id = accepted.id::text),
       source, input, rows_total, rows_valid, price, explain,
       request_id, idempotency_key, fingerprint, metadata,
       statement_timestamp() + make_interval(secs => cancel_after_seconds),
       'starting', '', '', 0, 0, false
FROM accepted
RETURNING id, hold_id, created_at, deadline
""",
)


def replayed_prediction(*, user_id: int | None, key: IdempotencyKey) -> Prediction | None:
    """Find what the user's earlier request with this key made, as it is now."""
    if key.value is None:
        return None
    return replayed(Prediction.objects.for_user(user_id).with_version(), key)


def replayed_predictions(orders: Sequence[Order]) -> dict[UUID, Prediction | Exception]:
    """Find what the orders' twins made; a twin with another body refuses its order."""
    keyed = {one.only_once: one for one in orders if one.only_once}
    if not keyed:
        return {}
    users, keys = zip(*keyed, strict=True)
    made = Prediction.objects.filter(user__in=users, idempotency_key__in=keys).with_version()
    found: dict[UUID, Prediction | Exception] = {}
    for twin in made:
        if one := keyed.get((twin.user_id, twin.idempotency_key or "")):
            try:
                found[one.prediction_id] = recognised(twin, one.key)
            except IdempotencyMismatch as refusal:
                found[one.prediction_id] = refusal
    return found
