"""The card of a version for people: what it is for, what it learnt from, and its plots drawn."""

from collections.abc import Mapping
from math import floor, log10
from statistics import median_low
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from ml_models.models import Card, ModelVersion
from mlservice.lib import charts, schema
from mlservice.lib.schema import shown

# What a bar of nothing to nothing is measured by.
SOME_LENGTH = 1e-12
HEAT_STEPS = 4
DIGITS = 5


def said(words: Mapping[str, Any], key: str) -> str:
    """Return what the card says in the reader's language, in English by default."""
    text: str = words.get(f"{key}_{get_language()}") or words.get(key, "")
    return text


def use(card: Card) -> dict[str, str]:
    return {name: said(card.words, name) for name in ("intended_use", "not_for")}


def data(card: Card) -> dict[str, Any]:
    """Tell what the rows are, where they come from, how many there were, and what was left out."""
    words = card.words
    figures = [
        (_("Rows"), words.get("rows")),
        (_("Rows learnt from"), words.get("training_rows")),
        (_("Rows tested on"), words.get("test_rows")),
    ]
    return {
        "about": said(words, "data"),
        "origin": words.get("origin", ""),
        "licence": said(words, "licence"),
        "figures": [(title, shown(value)) for title, value in figures if value is not None],
        "cleaning": [
            {"reason": said(rule, "reason"), "rows": rule["rows"]}
            for rule in words.get("cleaning", [])
        ],
    }


def plots(card: Card, version: ModelVersion) -> dict[str, Any]:
    """Draw what was measured; what was not is left out."""
    measured, gives = card.plots, version.output_schema
    drawn: dict[str, Any] = {}
    if measured.get("predicted"):
        drawn["predicted"] = predicted(measured["predicted"], named(gives))
    if measured.get("residuals"):
        drawn["residuals"] = residuals(measured["residuals"], gives.get("x-unit", ""))
    if measured.get("influences"):
        drawn["influences"] = influences(measured["influences"], version.input_schema, gives)
    if measured.get("confusion"):
        drawn["confusion"] = confusion(measured["confusion"])
    return drawn


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
    """Lay the values over bars of one width: a tail, which is wider, is drawn like the others."""
    width = median_low(one["end"] - one["start"] for one in bins)
    return charts.Scale(bins[0]["end"] - width, bins[-1]["start"] + width)


def influences(
    measured: dict[str, Any], takes: Mapping[str, Any], gives: Mapping[str, Any]
) -> dict[str, Any]:
    """Name the columns and categories, each with its weight as a bar from zero."""
    weights = [row["value"] for row in measured["rows"]]
    scale = charts.Scale(min(0, *weights), max(SOME_LENGTH, *weights))
    zero = scale.place(0)
    decimals = decimals_for(max(map(abs, weights), default=0))
    return {
        "kind": measured["kind"],
        "target_function": measured["target_function"],
        # Of two labels, the coefficients are those of the second.
        "label": shown(gives["enum"][-1]) if "enum" in gives else "",
        "zero": zero,
        "rows": [
            {
                "title": title_of(row, takes["properties"]),
                "value": number_format(row["value"], decimal_pos=decimals, force_grouping=True),
                "x": min(zero, scale.place(row["value"])),
                "width": abs(scale.place(row["value"]) - zero),
            }
            for row in measured["rows"]
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
