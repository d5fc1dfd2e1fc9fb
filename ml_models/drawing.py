"""The only place that draws what was measured of a version: its plots, as a page shows them."""

import logging
from collections.abc import Mapping
from math import floor, log10
from statistics import median_low
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from ml_models.releases import Described, Release
from mlservice.lib import charts, schema
from mlservice.lib.schema import shown

logger = logging.getLogger(__name__)

# What a bar of nothing to nothing is measured by.
SOME_LENGTH = 1e-12
HEAT_STEPS = 4
DIGITS = 5


def drawn(measured: Mapping[str, Any], described: Described) -> dict[str, Any]:
    """Draw what was measured of a version or of a release; what was not is left out."""
    takes, gives = described.input_schema, described.output_schema
    pictures: dict[str, Any] = {}
    if measured.get("predicted"):
        pictures["predicted"] = predicted(measured["predicted"], named(gives))
    if measured.get("residuals"):
        pictures["residuals"] = residuals(measured["residuals"], gives.get("x-unit", ""))
    if measured.get("influences"):
        pictures["influences"] = influences(measured["influences"], takes, gives)
    if measured.get("confusion"):
        pictures["confusion"] = confusion(measured["confusion"])
    return pictures


def drawable(described: Release) -> dict[str, Any]:
    """Return the plots of a release that can be drawn, each tried once: a card never changes."""
    return {
        name: plot for name, plot in described.plots.items() if can_be_drawn(name, plot, described)
    }


def can_be_drawn(name: str, plot: Any, described: Described) -> bool:
    try:
        drawn({name: plot}, described)
    # Not a number, an endless one, or a span that no float holds.
    except (ArithmeticError, ValueError):
        logger.warning("plot_not_drawable", extra={"plot": name}, exc_info=True)
        return False
    return True


def named(gives: Mapping[str, Any]) -> str:
    """Return what is predicted, with its unit."""
    title, unit = schema.words(gives, "title") or _("Value"), gives.get("x-unit", "")
    return f"{title}, {unit}" if unit else title


def predicted(bands: list[dict[str, Any]], what: str) -> charts.Chart:
    """Draw the middle of the predictions, and where eight in ten lie, over what was so."""
    actual = [band["actual"] for band in bands]
    low, middle, high = ([band[key] for band in bands] for key in ("low", "middle", "high"))
    scale = charts.scale_of(*actual, *low, *high)
    lower, central, upper = (
        charts.points(actual, values, scale, scale) for values in (low, middle, high)
    )
    return charts.Chart(
        name="predicted",
        title=_("Predicted against actual"),
        about=_(
            "The line is the median of what was predicted for rows of about one actual value, the "
            "band holds eight in ten predictions. A perfect model would keep to the dashed line."
        ),
        x_title=_("Actual: %(what)s") % {"what": what},
        y_title=_("Predicted: %(what)s") % {"what": what},
        x_ticks=charts.x_ticks(scale),
        y_ticks=charts.y_ticks(scale),
        band=charts.polyline([*lower, *reversed(upper)]),
        line=charts.polyline(central),
        dots=charts.dots(central),
        diagonal="0,100 100,0",
        head=[_("Actual, mean"), _("10% below"), _("Median"), _("10% above"), _("Rows")],
        rows=[[shown(band[key]) for key in BAND] for band in bands],
    )


BAND = ("actual", "low", "middle", "high", "rows")


def residuals(bins: list[dict[str, Any]], unit: str) -> charts.Chart:
    """Draw how many rows were missed by how much; the outermost bars hold the tails."""
    counts = [one["count"] for one in bins]
    spans = [f"{shown(one['start'])} … {shown(one['end'])}" for one in bins]
    labels = [f"{span}: {shown(count)}" for span, count in zip(spans, counts, strict=True)]
    missed, rows = _("Actual minus predicted"), charts.scale_of(0, *counts)
    return charts.Chart(
        name="residuals",
        title=_("Residuals"),
        about=_(
            "How many rows were predicted too high, left of zero, or too low, right of it, and by "
            "how much. The first and the last bar hold all that lie further out."
        ),
        x_title=f"{missed}, {unit}" if unit else missed,
        y_title=_("Rows"),
        x_ticks=charts.x_ticks(slots(bins)),
        y_ticks=charts.y_ticks(rows),
        bars=charts.bars(counts, labels, rows),
        head=[missed, _("Rows")],
        rows=[[span, shown(count)] for span, count in zip(spans, counts, strict=True)],
    )


def slots(bins: list[dict[str, Any]]) -> charts.Scale:
    """Lay the values over bars of one width: a tail, which is wider, is drawn like the others.

    Rounded, both ends of a narrow bin far from zero may be one.
    """
    widths = [one["end"] - one["start"] for one in bins]
    width = median_low([width for width in widths if width > 0] or [0])
    return charts.Scale(bins[0]["end"] - width, bins[-1]["start"] + width)


def influences(
    measured: dict[str, Any], takes: Mapping[str, Any], gives: Mapping[str, Any]
) -> dict[str, Any]:
    """Name the columns and categories, each with its weight as a bar from zero."""
    weights = [row["value"] for row in measured["rows"]]
    scale = charts.Scale(min(0, *weights), max(SOME_LENGTH, *weights))
    spans = [scale.from_zero(weight) for weight in weights]
    decimals = decimals_for(max(map(abs, weights), default=0))
    return {
        "kind": measured["kind"],
        "target_function": measured["target_function"],
        # Of two labels, the coefficients are those of the second.
        "label": shown(gives["enum"][-1]) if "enum" in gives else "",
        "zero": scale.place(0),
        "rows": [
            {
                "title": title_of(row, takes["properties"]),
                "value": number_format(row["value"], decimal_pos=decimals, force_grouping=True),
                "x": x,
                "width": width,
            }
            for row, (x, width) in zip(measured["rows"], spans, strict=True)
        ],
    }


def decimals_for(largest: float) -> int:
    """Return how many decimals show five digits of the largest weight."""
    return max(0, DIGITS - 1 - floor(log10(largest or 1)))


def title_of(row: Mapping[str, Any], columns: Mapping[str, Any]) -> str:
    """Name a column, one of its categories, or a function of it."""
    title = schema.title_of(row["column"], columns.get(row["column"], {}))
    if row["function"]:
        return f"{row['function']}({title})"
    return title if row["category"] is None else f"{title}: {shown(row['category'])}"


def confusion(measured: dict[str, Any]) -> dict[str, Any]:
    """Return the matrix with the warmth of each cell: its part of the rows of its label."""
    return {
        "labels": [shown(label) for label in measured["labels"]],
        "rows": [
            {
                "label": shown(label),
                "cells": [(n, round(HEAT_STEPS * n / max(sum(counts), 1))) for n in counts],
            }
            for label, counts in zip(measured["labels"], measured["counts"], strict=True)
        ],
    }
