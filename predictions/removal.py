"""The only place that removes what a client sent and got; status, cost and times stay."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from mlservice.lib.ids import first_id_at
from predictions.models import CLOCKS_APART, Prediction, PredictionQuerySet, Pruning

ROWS_A_SLICE = 1_000
NOTHING: dict[str, Any] = {
    "input": "null",
    "output": None,
    "metadata": {},
    "error": "",
    "data_removed": True,
}
FIRST = UUID(int=0)


def remove_rows(*, user_id: int, ends_at: float) -> bool:
    """Remove rows, results, metadata and errors of a user's predictions, slice by slice.

    Each slice is kept by itself, so that no lock lasts and a run that is cut short loses
    nothing. ends_at: the monotonic time after which none is begun. Return whether none is left.
    """
    theirs = Prediction.objects.for_user(user_id).filter(data_removed=False)
    for ids in slices(theirs):
        if time.monotonic() > ends_at:
            return False
        _empty(ids)
    return True


@dataclass(frozen=True, slots=True)
class Outdated:
    """The predictions that finished before a moment and still hold what was sent and got.

    Ids sort by the time they were sent at. A run notes up to which of them all is done, so that
    none looks again at what earlier ones have removed: they lie between `start` and `end`.
    """

    before: datetime
    start: UUID
    end: UUID

    @classmethod
    def after(cls, *, days: int) -> "Outdated":
        """Take what finished so many days ago or earlier."""
        before = timezone.now() - timedelta(days=days)
        start = Pruning.objects.values_list("reached", flat=True).first() or FIRST
        return cls(before, start, max(start, first_id_at(before + CLOCKS_APART)))

    def predictions(self) -> PredictionQuerySet:
        return self._with_data().filter(completed_at__lt=self.before)

    def remove(self, *, ends_at: float) -> tuple[int, bool]:
        """Remove what they hold, slice by slice; return of how many, and whether that was all."""
        removed, is_whole = 0, True
        for ids in slices(self.predictions()):
            if time.monotonic() > ends_at:
                is_whole = False
                break
            removed += _empty(ids)
        self._note(removed)
        return removed, is_whole

    def _with_data(self) -> PredictionQuerySet:
        return Prediction.objects.filter(pk__gte=self.start, pk__lt=self.end, data_removed=False)

    def _note(self, removed: int) -> None:
        """Let the next run begin at the first that keeps its data, for whatever reason."""
        left = self._with_data().order_by("pk").values_list("pk", flat=True).first()
        said = {"reached": left or self.end, "pruned_at": Now()}
        Pruning.objects.update_or_create(pk=1, defaults=said)
        Pruning.objects.filter(pk=1).update(removed=F("removed") + removed)


def slices(predictions: PredictionQuerySet) -> Iterator[list[UUID]]:
    """Yield the ids of predictions in order, so many at a time."""
    ordered, last = predictions.order_by("pk"), FIRST
    while ids := list(ordered.filter(pk__gt=last).values_list("pk", flat=True)[:ROWS_A_SLICE]):
        yield ids
        last = ids[-1]


@transaction.atomic
def _empty(ids: list[UUID]) -> int:
    """Empty a slice, and return how many; what somebody else has in hand is left for later."""
    free = Prediction.objects.filter(pk__in=ids, data_removed=False).order_by("pk")
    locked = list(free.select_for_update(skip_locked=True).values_list("pk", flat=True))
    return Prediction.objects.filter(pk__in=locked).update(**NOTHING)
