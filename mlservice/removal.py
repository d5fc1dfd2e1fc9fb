"""What is past its time is removed: the only place that joins the apps' own removals.

The ledger, prices, costs and holds are never touched.
"""

import math
import time
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from accounts.closing import leavers_with_data, note_data_removed
from accounts.outdated import outdated_sessions, outdated_sign_ins
from mlservice.lib.queues import DUTY_SECONDS
from predictions.removal import Outdated, remove_rows

ROWS_A_SLICE = 1_000


@dataclass(frozen=True, slots=True)
class Pruned:
    """What a run removed, or would: predictions' data, notes on sign-ins, sessions."""

    predictions: int = 0
    sign_ins: int = 0
    sessions: int = 0
    is_whole: bool = True


def remove_what_leavers_sent() -> int:
    """Remove what closed accounts sent and got, in a bounded time; return how many are done."""
    ends_at, done = time.monotonic() + DUTY_SECONDS, 0
    for user_id in leavers_with_data():
        if not remove_rows(user_id=user_id, ends_at=ends_at):
            break
        note_data_removed(user_id=user_id)
        done += 1
    return done


def count_prunable() -> Pruned:
    """Count what `prune` would remove by the settings of now."""
    days = settings.PREDICTION_RETENTION_DAYS
    return Pruned(
        predictions=Outdated.after(days=days).predictions().count() if days else 0,
        sign_ins=sum(notes.count() for notes in _sign_ins()),
        sessions=outdated_sessions().count(),
    )


def prune(*, seconds: float = math.inf) -> Pruned:
    """Remove what is past the time that the settings give it; 0 days keep it for ever.

    No slice is begun after so many seconds: the next run goes on there. Predictions come last,
    for years of them may take nights.
    """
    ends_at, days = time.monotonic() + seconds, settings.PREDICTION_RETENTION_DAYS
    sessions = _delete(outdated_sessions(), ends_at=ends_at)
    sign_ins = [_delete(notes, ends_at=ends_at) for notes in _sign_ins()]
    predictions = Outdated.after(days=days).remove(ends_at=ends_at) if days else (0, True)
    return Pruned(
        predictions=predictions[0],
        sign_ins=sum(removed for removed, _ in sign_ins),
        sessions=sessions[0],
        is_whole=all(is_whole for _, is_whole in (sessions, *sign_ins, predictions)),
    )


def _delete(outdated: QuerySet[Any], *, ends_at: float) -> tuple[int, bool]:
    """Delete slice by slice, each by itself; return how many, and whether that was all."""
    removed, keys = 0, outdated.order_by("pk").values_list("pk", flat=True)
    while some := list(keys[:ROWS_A_SLICE]):
        if time.monotonic() > ends_at:
            return removed, False
        # Asked again, for a session may have been prolonged since.
        removed += outdated.filter(pk__in=some).delete()[0]
    return removed, True


def _sign_ins() -> list[Any]:
    days = settings.SIGN_IN_RETENTION_DAYS
    return outdated_sign_ins(days=days) if days else []
