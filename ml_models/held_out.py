"""The only place that measures an estimator that somebody brought, on rows they held out."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ml_models import fitted, samples, trials
from ml_models.errors import NotPublishable
from ml_models.inference import Classified, Predicted
from ml_models.pipeline import measuring

Measured = tuple[dict[str, float], dict[str, Any]]


def measured(
    estimator: Any, path: Path, *, target: str, columns: list[str], gives: dict[str, Any]
) -> Measured:
    """Return metrics and plots, as the pipeline has them; raise NotPublishable for unfit rows."""
    rows = read_rows(path, target, columns)
    outputs = trials.answers_to_sample(estimator, rows[columns], gives)
    measure = labels if "enum" in gives else numbers
    metrics, plots = measure(rows[target], outputs, gives)
    for name, value in metrics.items():
        if not math.isfinite(value):
            raise NotPublishable(f"The held-out rows do not say enough: {name} would be {value}.")
    return metrics | {"test_rows": len(rows)}, plots


def read_rows(path: Path, target: str, columns: list[str]) -> pd.DataFrame:
    try:
        rows = samples.read_sample(path)
    except NotPublishable as refusal:
        raise NotPublishable(f"The held-out rows: {refusal.detail}") from refusal
    if missing := [name for name in (*columns, target) if name not in rows]:
        raise NotPublishable(f"The held-out rows lack {', '.join(missing)}.")
    if rows[target].isna().any():
        raise NotPublishable(f"The held-out rows have gaps in {target!r}.")
    return rows


def numbers(actual: pd.Series, outputs: list[Predicted], gives: dict[str, Any]) -> Measured:
    if not samples.is_plain_number(actual.dtype):
        raise NotPublishable(f"The held-out {actual.name!r} must be numbers.")
    values, predicted = actual.to_numpy(float), np.array(outputs, dtype=float)
    return (
        measuring.regression_metrics(values, predicted),
        measuring.regression_plots(values, predicted),
    )


def labels(actual: pd.Series, outputs: list[Predicted], gives: dict[str, Any]) -> Measured:
    known = gives["enum"]
    so = as_labels(actual, known)
    classified = [output for output in outputs if isinstance(output, Classified)]
    predicted = [output.label for output in classified]
    probable = [list(output.probabilities.values()) for output in classified]
    is_told = "x-probabilities" in gives and len(known) > 1
    return (
        measuring.classification_metrics(so, predicted, known, probable if is_told else None),
        measuring.classification_plots(so, predicted, known),
    )


def as_labels(actual: pd.Series, known: list[Any]) -> list[Any]:
    """Return the labels of the estimator's own type: a file may have read a text as a number."""
    of_name = {fitted.name_of(label): label for label in known}
    # 1 is 1.0, though they are not written alike.
    of_value = {label: label for label in known}
    found = [of_value.get(value, of_name.get(fitted.name_of(value))) for value in actual.tolist()]
    strange = {str(value) for value, label in zip(actual, found, strict=True) if label is None}
    if strange:
        few = ", ".join(sorted(strange)[:5])
        raise NotPublishable(f"The held-out rows have labels that the estimator has not: {few}.")
    return found
