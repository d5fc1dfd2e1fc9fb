"""What became of a model for everybody to read: its versions one by one, and its prices."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from ml_models.models import ModelVersion, PriceChange

LISTED = 20


@dataclass(frozen=True, slots=True)
class Entry:
    """One version in the changelog; `metrics_change` is what its metrics gained on the last one."""

    number: int
    status: str
    status_label: str
    price: int
    created_at: datetime
    metrics_change: dict[str, float]


def changelog(*, model_id: int) -> list[Entry]:
    """Return the latest versions of a model, newest first, without drafts."""
    versions = ModelVersion.objects.without_drafts().filter(model=model_id).order_by("-number")
    shown = versions.only("number", "status", "price", "created_at", "metrics")[: LISTED + 1]
    return [_entry(one, before) for one, before in pairwise([*shown, None]) if one][:LISTED]


def price_history(*, model_id: int) -> list[PriceChange]:
    """Return the latest changes of the prices of a model's versions, newest first."""
    changes = PriceChange.objects.filter(version__model=model_id)
    public = changes.exclude(version__status=ModelVersion.Status.DRAFT).order_by("-pk")
    return list(public.select_related("version").only(*CHANGE, "version__number")[:LISTED])


CHANGE = ("is_explained", "price_before", "price_after", "changed_at")


def _entry(version: ModelVersion, before: ModelVersion | None) -> Entry:
    return Entry(
        number=version.number,
        status=version.status,
        status_label=version.get_status_display(),
        price=version.price,
        created_at=version.created_at,
        metrics_change=metrics_change(version.metrics, before.metrics if before else {}),
    )


def metrics_change(after: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, float]:
    """Return what each number that both know has gained, to six significant digits."""
    gains = {
        name: float(f"{value - before[name]:.6g}")
        for name, value in after.items()
        if _is_number(value) and _is_number(before.get(name))
    }
    return {name: gain for name, gain in gains.items() if gain}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
