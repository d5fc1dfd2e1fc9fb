"""The only place that compares what was predicted with what was so: as figures, and as plots."""

from math import ceil, log10
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    log_loss,
    mean_absolute_error,
    r2_score,
    root_mean_squared_error,
)

from mlservice.lib.scales import nice_edges

GROUPS = 20
# With the two tails a histogram stays below forty bins.
BINS = 30
TAIL_SHARE = 0.01
# A matrix of more labels than this says nothing to the eye.
MOST_LABELS_CROSSED = 20
# Processors differ in the last digits; a residual that one calls zero must be zero for all.
SHARED_DIGITS = 9
PLOTTED_DIGITS = 6


def regression_metrics(actual: Any, predicted: Any) -> dict[str, float]:
    """Return the errors, in the target's unit, and the share of variance explained."""
    return {
        "mae": in_unit(mean_absolute_error(actual, predicted)),
        "rmse": in_unit(root_mean_squared_error(actual, predicted)),
        "r2": round(float(r2_score(actual, predicted)), 4),
    }


def in_unit(error: float) -> float:
    """Return an error to the cent, or, if it is below one, to four digits."""
    return round(float(error), 2) if error >= 1 else float(f"{error:.4g}")


def classification_metrics(
    actual: list[Any], predicted: list[Any], labels: list[Any], probabilities: Any = None
) -> dict[str, float]:
    """Return the share of labels that are right and, given n × labels of them, the log loss."""
    metrics = {"accuracy": round(float(accuracy_score(actual, predicted)), 4)}
    if probabilities is not None:
        metrics["log_loss"] = round(float(log_loss(actual, probabilities, labels=labels)), 4)
    return metrics


def regression_plots(actual: Any, predicted: Any) -> dict[str, Any]:
    pairs = pd.DataFrame({"actual": actual, "predicted": predicted})
    return {"predicted": bands(pairs), "residuals": residuals(pairs)}


def classification_plots(
    actual: list[Any], predicted: list[Any], labels: list[Any]
) -> dict[str, Any]:
    """Return how often which label was predicted for which; nothing for very many labels."""
    if len(labels) > MOST_LABELS_CROSSED:
        return {}
    counts = confusion_matrix(actual, predicted, labels=labels).tolist()
    return {"confusion": {"labels": labels, "counts": counts}}


def bands(pairs: pd.DataFrame) -> list[dict[str, float]]:
    """Part the rows into equal groups by what was so; return where eight in ten predictions lie."""
    place = pairs["actual"].rank(method="first") - 1
    groups = pairs.groupby(place * min(GROUPS, len(pairs)) // len(pairs))
    return [
        {
            "actual": plotted(group["actual"].mean()),
            "low": plotted(group["predicted"].quantile(0.1)),
            "middle": plotted(group["predicted"].median()),
            "high": plotted(group["predicted"].quantile(0.9)),
            "rows": len(group),
        }
        for _, group in groups
    ]


def residuals(pairs: pd.DataFrame) -> list[dict[str, float]]:
    """Count actual minus predicted in bins of a round width; the first and last hold the tails."""
    left = shared(pairs["actual"] - pairs["predicted"]).to_numpy()
    low, high = np.quantile(left, [TAIL_SHARE, 1 - TAIL_SHARE])
    edges = nice_edges(float(low), float(high), BINS, PLOTTED_DIGITS)
    counted, _ = np.histogram(left, edges)
    bins = [bin_of(*one) for one in zip(edges, edges[1:], counted, strict=False)]
    below, above = left[left < edges[0]], left[left > edges[-1]]
    if len(below):
        bins.insert(0, bin_of(below.min(), edges[0], len(below)))
    if len(above):
        bins.append(bin_of(edges[-1], above.max(), len(above)))
    return bins


def shared(left: pd.Series) -> pd.Series:
    """Return the residuals to the decimals that every processor finds in the largest."""
    largest = float(left.abs().max())
    return left.round(SHARED_DIGITS - ceil(log10(largest))) if largest else left


def bin_of(start: float, end: float, count: int) -> dict[str, float]:
    return {"start": plotted(start), "end": plotted(end), "count": int(count)}


def plotted(value: float) -> float:
    """Return the value to the digits that a plot shows, and that every processor finds."""
    return float(f"{value:.{PLOTTED_DIGITS}g}")
