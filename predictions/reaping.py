"""What the reaper does with whatever something that died, or ran too long, left behind."""

from collections.abc import Iterable
from uuid import UUID

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now

from ml_models.models import ModelVersion
from predictions import lanes, selectors
from predictions.dispatch import return_to_queue
from predictions.lanes import Lane
from predictions.models import Prediction, PredictionQuerySet
from predictions.services import Outcome, Status, settle

TO_BE_CANCELED = Q(cancel_requested_at__isnull=False) | Q(deadline__lt=Now())


def reap() -> dict[str, int]:
    """End or revive what was left behind; say how many of each."""
    return {
        "leases_returned": return_expired_leases(),
        "attempts_exhausted": fail_exhausted(),
        "deadlines_passed": cancel_overdue(),
        "expired": expire_old(),
        "versions_broken": fail_for_broken_versions(),
        "unpublished": sum(unpublish_lost(lane) for lane in lanes.LANES),
    }


def return_expired_leases() -> int:
    """Give predictions whose worker vanished back to the queue, while attempts remain."""
    attempts_remain = Q(attempt__lt=settings.PREDICTION_MAX_ATTEMPTS)
    return return_to_queue(_expired_leases().filter(attempts_remain).exclude(TO_BE_CANCELED))


def fail_exhausted() -> int:
    """Fail what lost its worker on the last attempt; what was to be canceled ends canceled."""
    attempts_remain = Q(attempt__lt=settings.PREDICTION_MAX_ATTEMPTS)
    gone = _expired_leases().filter(~attempts_remain | TO_BE_CANCELED)
    return settle(
        Outcome(
            id,
            attempt,
            Status.FAILED,
            error=f"It was begun {attempt} times and never finished. Nothing was charged.",
            error_code="attempts_exhausted",
        )
        for id, attempt in _some(gone)
    )


def _expired_leases() -> PredictionQuerySet:
    return Prediction.objects.filter(status=Status.PROCESSING, lease_expires_at__lt=Now())


def cancel_overdue() -> int:
    """Cancel what waited past its client's deadline, and release it."""
    overdue = Prediction.objects.filter(status=Status.STARTING, deadline__lt=Now())
    ended = (Outcome(id, attempt, Status.CANCELED) for id, attempt in _some(overdue))
    return settle(ended, expected=Status.STARTING)


def expire_old() -> int:
    """Fail predictions that waited longer than PREDICTION_MAX_AGE_SECONDS and release them."""
    return _fail_waiting(
        selectors.starting_longer_than(settings.PREDICTION_MAX_AGE_SECONDS),
        error="The prediction waited too long. Nothing was charged; send it again.",
        error_code="expired",
    )


def fail_for_broken_versions() -> int:
    """Fail what waits for a version that broke, and release it."""
    return _fail_waiting(
        Prediction.objects.filter(
            status=Status.STARTING, version__status=ModelVersion.Status.BROKEN
        ),
        error="This version of the model is broken. Nothing was charged.",
        error_code="version_broken",
    )


def _fail_waiting(waiting: PredictionQuerySet, *, error: str, error_code: str) -> int:
    # Each half has a small index of its own; for both at once the whole history would be read.
    halves = waiting.filter(published_at=None), waiting.filter(published_at__isnull=False)
    failed = (
        Outcome(id, attempt, Status.FAILED, error=error, error_code=error_code)
        for half in halves
        for id, attempt in _some(half)
    )
    return settle(failed, expected=Status.STARTING)


def _some(wanted: PredictionQuerySet) -> Iterable[tuple[UUID, int]]:
    return wanted.order_by("pk").values_list("pk", "attempt")[: selectors.REAP_AT_MOST]


def unpublish_lost(lane: Lane) -> int:
    """Take back groups that nobody claims: where there is room for new ones, or after a minute.

    One that waited behind others after all is then out twice, and is claimed once.
    """
    has_room = lanes.traffic()[lane].room(lane, lanes.window(lane)) > 0
    patience = lanes.LOST_AFTER_SECONDS if has_room else lanes.SURELY_LOST_AFTER_SECONDS
    lost = selectors.published_longer_than(patience)
    return return_to_queue(lost.of_lane(is_bulk=lane.is_bulk))
