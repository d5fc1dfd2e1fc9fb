"""The only place that compares how a model's stable version and its candidate do."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ml_models.models import MLModel, ModelVersion
from mlservice.lib.ids import first_id_at

# The latest predictions of a version whose values are looked at: JSON is dear to read.
VALUES_OF = 1_000
# What is measured, and by how many decimals it is told.
MEASURES = {
    "predictions": (_("Predictions"), 0),
    "success_rate": (_("Succeeded of those that ended, %"), 2),
    "canceled": (_("Canceled"), 0),
    "predict_p50": (_("Predicting, median, ms"), 1),
    "predict_p95": (_("Predicting, 95th percentile, ms"), 1),
    "total_p50": (_("From accepted to done, median, ms"), 1),
    "total_p95": (_("From accepted to done, 95th percentile, ms"), 1),
    "value_mean": (_("Predicted value, mean"), 4),
    "value_median": (_("Predicted value, median"), 4),
}


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure of both versions; None where there is nothing to measure."""

    title: Any
    decimals: int
    stable: float | None
    candidate: float | None

    @property
    def difference(self) -> float | None:
        if self.stable is None or self.candidate is None:
            return None
        return self.candidate - self.stable


@dataclass(frozen=True, slots=True)
class Comparison:
    """Stable against candidate; `errors` counts each error code of both."""

    stable: ModelVersion | None
    candidate: ModelVersion | None
    measures: list[Measure]
    errors: list[tuple[str, int, int]]


def compare(*, model: MLModel, days: int) -> Comparison:
    """Measure what both versions accepted in the last days, by three queries however much it is.

    Latencies are of predictions that succeeded, in milliseconds.
    """
    pair = (model.stable_id, model.candidate_id)
    began = timezone.now() - timedelta(days=days)
    asked = {"versions": [pk for pk in pair if pk], "began": began, "first": first_id_at(began)}
    figures, values = _by_version(FIGURES, asked), _by_version(VALUES, asked | {"most": VALUES_OF})
    stable, candidate = ({**figures.get(pk, {}), **values.get(pk, {})} for pk in pair)
    return Comparison(
        stable=model.stable,
        candidate=model.candidate,
        measures=[
            Measure(title, decimals, stable.get(name), candidate.get(name))
            for name, (title, decimals) in MEASURES.items()
        ],
        errors=_errors(asked, pair),
    )


def _errors(
    asked: Mapping[str, Any], pair: tuple[int | None, int | None]
) -> list[tuple[str, int, int]]:
    counted = {(row["version_id"], row["error_code"]): row["count"] for row in _rows(ERRORS, asked)}
    stable, candidate = pair
    return [
        (code, counted.get((stable, code), 0), counted.get((candidate, code), 0))
        for code in sorted({code for _, code in counted})
    ]


def _by_version(query: str, asked: Mapping[str, Any]) -> dict[int | None, dict[str, Any]]:
    return {row["version_id"]: row for row in _rows(query, asked)}


def _rows(query: str, asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(query, asked)
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


# Ids sort by time, so that the range is found by the primary key.
ACCEPTED = """
FROM predictions_prediction
WHERE id >= %(first)s AND created_at >= %(began)s AND version_id = ANY(%(versions)s)
"""
FIGURES = f"""
WITH accepted AS (
    SELECT version_id, status, 1000 * predict_seconds AS predicting,
           1000 * extract(epoch FROM completed_at - created_at)::float8 AS total
    {ACCEPTED}
)
SELECT version_id, count(*) AS predictions,
       count(*) FILTER (WHERE status = 'canceled') AS canceled,
       100.0::float8 * count(*) FILTER (WHERE status = 'succeeded')
           / nullif(count(*) FILTER (WHERE status IN ('succeeded', 'failed')), 0) AS success_rate,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY predicting)
           FILTER (WHERE status = 'succeeded') AS predict_p50,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY predicting)
           FILTER (WHERE status = 'succeeded') AS predict_p95,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY total)
           FILTER (WHERE status = 'succeeded') AS total_p50,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY total)
           FILTER (WHERE status = 'succeeded') AS total_p95
FROM accepted
GROUP BY version_id
"""  # noqa: S608
ERRORS = f"""
SELECT version_id, error_code, count(*) AS count
{ACCEPTED} AND status = 'failed'
GROUP BY version_id, error_code
"""
# PostgreSQL refuses to read a \\u0000, which a row that does not fit may have brought.
VALUES = f"""
SELECT version_id, avg(number) AS value_mean,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY number) AS value_median
FROM unnest(%(versions)s::bigint[]) AS version (id)
CROSS JOIN LATERAL (
    SELECT version_id, output
    {ACCEPTED} AND version_id = version.id AND status = 'succeeded'
        AND strpos(output, '\\u0000') = 0
    ORDER BY predictions_prediction.id DESC LIMIT %(most)s
) AS latest
CROSS JOIN LATERAL json_array_elements(latest.output::json) AS entry
CROSS JOIN LATERAL (
    SELECT CASE WHEN json_typeof(entry.value -> 'prediction') = 'number'
                THEN (entry.value ->> 'prediction')::float8 END AS number
) AS predicted
WHERE number IS NOT NULL
GROUP BY version_id
"""  # noqa: S608
