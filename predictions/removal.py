"""The only place that removes what a client sent and got; status, cost and times stay."""

import time
from typing import Any
from uuid import UUID

from predictions.models import Prediction

ROWS_A_SLICE = 1_000
NOTHING: dict[str, Any] = {
    "input": "null",
    "output": None,
    "metadata": {},
    "error": "",
    "data_removed": True,
}


def remove_rows(*, user_id: int, ends_at: float) -> bool:
    """Remove rows, results, metadata and errors of a user's predictions, slice by slice.

    Each slice is kept by itself, so that no lock lasts and a run that is cut short loses
    nothing. ends_at: the monotonic time after which none is begun. Return whether none is left.
    """
    kept = Prediction.objects.for_user(user_id).filter(data_removed=False).order_by("pk")
    last = UUID(int=0)
    while ids := list(kept.filter(pk__gt=last).values_list("pk", flat=True)[:ROWS_A_SLICE]):
        if time.monotonic() > ends_at:
            return False
        Prediction.objects.filter(pk__in=ids).update(**NOTHING)
        last = ids[-1]
    return True
