"""What relay and workers count of predictions; each hook in their code is one line.

What is counted stands under the names that docs/runbook.md and the alert rules use.
"""

from collections import Counter as Tally
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from prometheus_client import Counter, Gauge, Histogram

from ml_models.models import ModelVersion
from ml_models.selectors import version_by_id
from mlservice.lib.metrics.counting import COUNTED
from predictions.endings import Ending

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
STATUSES = ("succeeded", "failed", "canceled")
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_000)

turned_timestamp_seconds = Gauge(
    "mlservice_relay_turned_timestamp_seconds",
    "When the relay last looked at the table, whether or not the broker took what waits.",
    registry=COUNTED,
    multiprocess_mode="livemax",
)
groups = Counter(
    "mlservice_relay_groups", "Groups that were published.", ["lane"], registry=COUNTED
)
published_predictions = Counter(
    "mlservice_relay_predictions", "Predictions in these groups.", ["lane"], registry=COUNTED
)
publish_seconds = Histogram(
    "mlservice_relay_publish_seconds",
    "Time until the broker had confirmed a message.",
    buckets=SECONDS,
    registry=COUNTED,
)
relay_failures = Counter(
    "mlservice_relay_failures",
    "Turns that the database or the broker ended.",
    ["side"],
    registry=COUNTED,
)
# There from the beginning: of a count that begins with 1, the first would not be seen.
for side in ("database", "broker"):
    relay_failures.labels(side)
reaped_total = Counter(
    "mlservice_relay_reaped", "What the reaper ended or revived.", ["what"], registry=COUNTED
)

claim_seconds = Histogram(
    "mlservice_worker_claim_seconds", "Time to claim a group.", buckets=SECONDS, registry=COUNTED
)
settle_seconds = Histogram(
    "mlservice_settle_seconds",
    "Time to settle predictions in one transaction, whoever does it.",
    buckets=SECONDS,
    registry=COUNTED,
)
predict_seconds = Histogram(
    "mlservice_worker_predict_seconds",
    "Time to check and predict the rows of a group.",
    ["model", "version"],
    buckets=SECONDS,
    registry=COUNTED,
)
group_predictions = Histogram(
    "mlservice_worker_group_predictions",
    "Predictions that were made together.",
    buckets=SIZES,
    registry=COUNTED,
)
group_rows = Histogram(
    "mlservice_worker_group_rows",
    "Rows that were predicted together.",
    buckets=SIZES,
    registry=COUNTED,
)
taken_along = Counter(
    "mlservice_worker_predictions_taken_along",
    "Predictions that a child took past relay and broker, being through with a group.",
    ["lane"],
    registry=COUNTED,
)
children_lost = Counter(
    "mlservice_worker_children_lost", "Children that died over a group.", registry=COUNTED
)
ended_by_model = Counter(
    "mlservice_model_predictions",
    "Predictions that ended, whoever ended them, by the version they were for.",
    ["model", "version", "status"],
    registry=COUNTED,
)
ended_predictions = Counter(
    "mlservice_predictions_ended",
    "Predictions that ended, whoever ended them; the code says why they failed.",
    ["status", "code"],
    registry=COUNTED,
)


def published(lane: str, predictions: int) -> None:
    groups.labels(lane).inc()
    published_predictions.labels(lane).inc(predictions)


def reaped(counts: Mapping[str, int]) -> None:
    for what, number in counts.items():
        if number:
            reaped_total.labels(what).inc(number)


def predicted(version: ModelVersion, *, predictions: int, rows: int, seconds: float) -> None:
    """Count what was predicted together, and how long it took."""
    _seconds_of(version.pk).observe(seconds)
    group_predictions.observe(predictions)
    group_rows.observe(rows)


def expect(version_ids: Iterable[int]) -> None:
    """Let the counts of versions begin at 0: of one that begins with 1, the first is not seen."""
    for version_id in version_ids:
        _ended_of(version_id)


def ended(endings: Iterable[tuple[int, Ending]]) -> None:
    """Count how predictions of these versions have ended, after the commit that ended them."""
    alike = Tally((version_id, one.status, one.error_code) for version_id, one in endings)
    for (version_id, status, code), number in alike.items():
        ended_predictions.labels(status, code).inc(number)
        _ended_of(version_id)[status].inc(number)


@lru_cache(maxsize=256)
def _seconds_of(version_id: int) -> Any:
    return predict_seconds.labels(*_name_of(version_id))


@lru_cache(maxsize=256)
def _ended_of(version_id: int) -> dict[str, Any]:
    name = _name_of(version_id)
    return {status: ended_by_model.labels(*name, status) for status in STATUSES}


def _name_of(version_id: int) -> tuple[str, int]:
    version = version_by_id(version_id)
    return version.model.slug, version.number
