"""What a worker does with a group of ids: claim, predict outside any transaction, settle."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import compress, groupby
from typing import Any, TypeVar
from uuid import UUID

import msgspec
import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import Error
from structlog.contextvars import bind_contextvars, unbind_contextvars

from ml_models import inference
from ml_models.errors import ArtifactUnavailable, BrokenArtifact
from ml_models.inference import Explanation, Predicted, as_output, is_finite
from ml_models.models import ModelVersion
from ml_models.rows import CheckedRows
from ml_models.selectors import check_rows, version_by_id
from ml_models.services import break_version
from mlservice.lib import tracing
from mlservice.lib.failpoints import failpoint
from mlservice.lib.logging import asked_by, without_words
from mlservice.lib.outlasting import outlast
from mlservice.lib.tracing import step
from predictions import counting
from predictions.dispatch import give_back
from predictions.lanes import Lane
from predictions.models import Prediction
from predictions.services import Claim, Outcome, claim, settle
from predictions.staying import Stay
from predictions.submitting import as_rows

logger = structlog.get_logger(__name__)

Status = Prediction.Status
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed prediction with its rows checked again, by the same rules as at acceptance."""

    claim: Claim
    checked: CheckedRows


def run(
    prediction_ids: Sequence[UUID],
    *,
    group_id: UUID | None = None,
    claimed_by: str = "",
    lane: Lane | None = None,
) -> int:
    """Predict what is still free of these; return how many were settled.

    With a group's lane, the child then stays for what waits there or comes, which spares that the
    way through relay and broker. A database that is away is waited for: a group that fell through
    here would stand as published, and fill the relay's window until it is taken for lost. Claim and
    settlement are compare-and-set, so that doing them twice does nothing more.
    """
    with closing(Stay(lane, group_id=group_id, claimed_by=claimed_by)) as stay:
        end = partial(predict_and_settle, stay=stay, claimed_by=claimed_by)
        with tracing.predicting(group_id, prediction_ids):
            free = partial(claim, prediction_ids, group_id=group_id, claimed_by=claimed_by)
            settled, along = end(claims := patiently(free))
        while claims and (claims := along or stay.take_what_comes()):
            with tracing.predicting(group_id, [one.id for one in claims]):
                more, along = end(claims)
            settled += more
    return settled


def predict_and_settle(
    claims: Sequence[Claim], *, stay: Stay, claimed_by: str
) -> tuple[int, list[Claim]]:
    """Do what was claimed; return how many were settled, and what has been taken along.

    Of bulk and beside company, what is next is taken before settling, so that to the relay this
    child is at work throughout. Else it would publish the next group for another child; and of
    bulk, so many that none is left for small ones. Who waits for a small prediction that came
    alone does not wait for a look at the next ones; nor does any go beside what was tried before.
    """
    if not claims:
        return 0, []
    settlement = partial(settle, outcomes_of(claims, claimed_by))
    is_alone = len(claims) == 1 and not stay.is_in_bulk
    if is_alone or any(one.attempt > 1 for one in claims):
        return patiently(settlement), []
    along = stay.take_along()
    try:
        return patiently(settlement), along
    except BaseException:
        with suppress(Error):
            give_back(along)
        raise


def outcomes_of(claims: Sequence[Claim], claimed_by: str) -> list[Outcome]:
    """Predict what was claimed, a group for each version."""
    # Of many no one is named, nor who asked for the group before.
    unbind_contextvars("request_ids")
    bind_contextvars(**asked_by([one.request_id for one in claims]))
    logger.info("predictions_claimed", count=len(claims), claimed_by=claimed_by)
    in_order = sorted(claims, key=lambda one: one.version_id)
    outcomes: list[Outcome] = []
    for version_id, same_version in groupby(in_order, key=lambda one: one.version_id):
        group = list(same_version)
        try:
            version = patiently(partial(version_by_id, version_id))
            counting.expect([version_id])
            outcomes += predict_group(version, group)
        except SoftTimeLimitExceeded as error:
            outcomes += out_of_time(group, error)
    return outcomes


def patiently(step: Callable[[], T]) -> T:
    return outlast(step, seconds=settings.PREDICTION_TIME_LIMIT_SECONDS)


def predict_group(version: ModelVersion, claims: Sequence[Claim]) -> list[Outcome]:
    """Predict all rows of a group at once; when that raises, one prediction at a time."""
    try:
        return predict_stacked(version, claims)
    except (ArtifactUnavailable, SoftTimeLimitExceeded):
        # A store that is away comes back: the lease ends, and the next attempt asks again.
        raise
    except BrokenArtifact as error:
        break_version(version_id=version.pk, reason=str(error.detail))
        return [broken(one, error) for one in claims]
    except Exception as error:
        if len(claims) == 1:
            return [failure(claims[0], error)]
        return [outcome for one in claims for outcome in predict_group(version, [one])]


def out_of_time(claims: Sequence[Claim], error: SoftTimeLimitExceeded) -> list[Outcome]:
    """Fail what was alone with its time; of several, give each a time of its own."""
    if len(claims) == 1:
        return [failure(claims[0], error)]
    give_back(claims)
    return []


def rows_of(one: Claim) -> list[Any]:
    return as_rows(msgspec.json.decode(one.input))


@step("predict")
def predict_stacked(version: ModelVersion, claims: Sequence[Claim]) -> list[Outcome]:
    """Run one predict over the stacked valid rows of all claims and hand the values back."""
    began = time.perf_counter()
    jobs = [Job(one, check_rows(version=version, rows=rows_of(one))) for one in claims]
    stacked = [features for job in jobs for features in job.checked.features]
    failpoint("predict_1")
    values = inference.predict(version=version, rows=stacked)
    failpoint("predict_2")
    answers = iter(zip(values, explained(version, jobs, values), strict=True))
    seconds = time.perf_counter() - began
    counting.predicted(version, predictions=len(jobs), rows=len(stacked), seconds=seconds)
    outcomes = [succeed(job, answers) for job in jobs]
    return [replace(outcome, predict_seconds=seconds) for outcome in outcomes]


def explained(
    version: ModelVersion, jobs: Sequence[Job], values: Sequence[Predicted]
) -> list[Explanation | None]:
    """Return an explanation a value, or None where nobody asked for it."""
    is_asked = [job.claim.explain for job in jobs for _ in job.checked.features]
    if not any(is_asked):
        return [None] * len(values)
    stacked = (features for job in jobs for features in job.checked.features)
    rows = list(compress(stacked, is_asked))
    predicted = list(compress(values, is_asked))
    answers = iter(inference.explain(version=version, rows=rows, predicted=predicted))
    return [next(answers) if asked else None for asked in is_asked]


def succeed(job: Job, answers: Iterator[tuple[Predicted, Explanation | None]]) -> Outcome:
    """Lay predictions, refusals and failures side by side in the order of the rows sent."""
    errors, warnings = job.checked.errors, job.checked.warnings
    entries: list[dict[str, Any]] = [
        {"index": index, "status": "invalid", "errors": errors[index]}
        if index in errors
        else predicted_row(index, *next(answers), warnings.get(index))
        for index in range(job.checked.total)
    ]
    predicted = sum(entry["status"] == "succeeded" for entry in entries)
    output = msgspec.json.encode(entries).decode()
    if not predicted:
        return Outcome(
            job.claim.id,
            job.claim.attempt,
            Status.FAILED,
            output=output,
            error="The model gave no finite number for any row. Nothing was charged.",
            error_code="non_finite_prediction",
        )
    return Outcome(
        job.claim.id,
        job.claim.attempt,
        Status.SUCCEEDED,
        cost=predicted * job.claim.price,
        output=output,
    )


def predicted_row(
    index: int, value: Predicted, explanation: Explanation | None, warnings: Any
) -> dict[str, Any]:
    # Nearly all are numbers, and there may be a thousand: they are asked for first.
    if not (math.isfinite(value) if isinstance(value, float) else is_finite(value)):
        return {
            "index": index,
            "status": "failed",
            "errors": [
                {
                    "field": "",
                    "code": "non_finite_prediction",
                    "message": "The model gave no finite number for this row. It is free.",
                }
            ],
        }
    entry: dict[str, Any] = {"index": index, "status": "succeeded", "prediction": value}
    if not isinstance(value, float):
        entry |= as_output(value)
    if explanation:
        entry["explanation"] = explanation
    if warnings:
        entry["warnings"] = warnings
    return entry


def failure(one: Claim, error: Exception) -> Outcome:
    """Record what broke; the place goes to the log, a plain sentence to the client."""
    named = {"prediction_id": str(one.id), "request_id": one.request_id}
    # An error of an estimator may quote the row that it could not take.
    logger.error("prediction_failed", **named, **without_words(error))
    code = next((code for kind, code in CODES.items() if isinstance(error, kind)), OTHER)
    return failed(one, code)


def broken(one: Claim, error: BrokenArtifact) -> Outcome:
    named = {"prediction_id": str(one.id), "request_id": one.request_id}
    logger.error("version_broken", **named, exc_info=error)
    return failed(one, "version_broken")


def failed(one: Claim, code: str) -> Outcome:
    sentence = f"{SENTENCES[code]} Nothing was charged."
    return Outcome(one.id, one.attempt, Status.FAILED, error=sentence, error_code=code)


OTHER = "prediction_failed"
CODES = {SoftTimeLimitExceeded: "timeout", MemoryError: "out_of_memory"}
SENTENCES = {
    "timeout": "The prediction took longer than one may.",
    "out_of_memory": "The prediction needed more memory than one may have.",
    "version_broken": "This version of the model is broken.",
    OTHER: "The model could not predict these rows.",
}
