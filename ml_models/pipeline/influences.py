"""The only place that says what an estimator goes by: importances or coefficients, by column.

What goes into its last step is followed back to the columns of the input. Where a step mixes
columns, as a principal component does, nothing can be said of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from ml_models.pipeline.measuring import plotted

MOST_ROWS = 30


@dataclass(frozen=True)
class Origin:
    """Where a number comes from that goes into the last step."""

    column: str
    category: Any = None
    function: str = ""


class Untraceable(Exception):
    """A step gives what cannot be said to be of one column."""


def influences(estimator: Any, columns: Sequence[str]) -> dict[str, Any]:
    """Return importances or coefficients of at most 30 columns and categories; {} for none."""
    try:
        origins, last = traced(estimator, [Origin(name) for name in columns])
    except Untraceable:
        return {}
    # A regressor of a transformed target says of the transformed one what it learnt.
    fitted = getattr(last, "regressor_", last)
    if (weights := flat(getattr(fitted, "feature_importances_", None), origins)) is not None:
        return {"kind": "importances", "target_function": "", "rows": summed(origins, weights)}
    if (weights := flat(getattr(fitted, "coef_", None), origins)) is not None:
        function = name_of(getattr(last, "func", None))
        rows = listed(origins, weights, list(columns))
        return {"kind": "coefficients", "target_function": function, "rows": rows}
    return {}


def flat(weights: Any, origins: list[Origin]) -> list[float] | None:
    """Return one weight for each origin; None where there is none, or one a label."""
    found = np.ravel(weights) if weights is not None else np.array([])
    is_one_each = len(found) == len(origins) and bool(np.isfinite(found).all())
    return found.tolist() if is_one_each else None


def summed(origins: list[Origin], weights: list[float]) -> list[dict[str, Any]]:
    """Add up the parts of each column, the weightiest first."""
    total: dict[str, float] = {}
    for origin, weight in zip(origins, weights, strict=True):
        total[origin.column] = total.get(origin.column, 0.0) + weight
    ordered = sorted(total.items(), key=lambda pair: -pair[1])
    return [row_of(Origin(column), weight) for column, weight in ordered[:MOST_ROWS]]


def listed(origins: list[Origin], weights: list[float], columns: list[str]) -> list[dict[str, Any]]:
    """List the weightiest in the order of the columns."""
    pairs = sorted(zip(origins, weights, strict=True), key=lambda pair: -abs(pair[1]))
    shown = sorted(pairs[:MOST_ROWS], key=lambda pair: origins.index(pair[0]))
    shown.sort(key=lambda pair: columns.index(pair[0].column))
    return [row_of(origin, weight) for origin, weight in shown]


def row_of(origin: Origin, weight: float) -> dict[str, Any]:
    return {
        "column": origin.column,
        "category": origin.category,
        "function": origin.function,
        "value": plotted(weight),
    }


def traced(estimator: Any, origins: list[Origin]) -> tuple[list[Origin], Any]:
    """Return what goes into the last step, and that step."""
    estimator = getattr(estimator, "best_estimator_", estimator)
    if not isinstance(estimator, Pipeline):
        return origins, estimator
    for _, step in estimator.steps[:-1]:
        origins = through(step, origins)
    return traced(estimator.steps[-1][1], origins)


def through(step: Any, origins: list[Origin]) -> list[Origin]:
    """Follow what goes into a step to what comes out of it; raise Untraceable if they mix."""
    if step == "passthrough" or step is None:
        return origins
    if isinstance(step, Pipeline):
        for _, inner in step.steps:
            origins = through(inner, origins)
        return origins
    if isinstance(step, ColumnTransformer):
        return through_columns(step, origins)
    if isinstance(step, OneHotEncoder):
        return through_choices(step, origins)
    if isinstance(step, FunctionTransformer):
        return through_function(step, origins)
    return through_named(step, origins)


def through_columns(step: ColumnTransformer, origins: list[Origin]) -> list[Origin]:
    names = list(getattr(step, "feature_names_in_", range(len(origins))))
    came: list[Origin] = []
    for _, inner, chosen in step.transformers_:
        if isinstance(inner, str) and inner == "drop":
            continue
        came += through(inner, [origins[place] for place in places(chosen, names)])
    return came


def places(chosen: Any, names: list[Any]) -> list[int]:
    """Return the positions of columns that are chosen in any of the ways that there are."""
    if isinstance(chosen, str):
        return [names.index(chosen)]
    if isinstance(chosen, slice):
        return list(range(len(names)))[chosen]
    listed = list(chosen) if not np.isscalar(chosen) else [chosen]
    if all(isinstance(one, str) for one in listed):
        return [names.index(one) for one in listed]
    found: list[int] = np.arange(len(names))[np.asarray(listed)].tolist()
    return found


def through_choices(step: OneHotEncoder, origins: list[Origin]) -> list[Origin]:
    if any(rare is not None for rare in getattr(step, "infrequent_categories_", [])):
        raise Untraceable
    dropped = step.drop_idx_ if step.drop_idx_ is not None else [None] * len(origins)
    return [
        replace(origin, category=plain(category))
        for origin, categories, left_out in zip(origins, step.categories_, dropped, strict=True)
        for place, category in enumerate(categories)
        if place != left_out
    ]


def plain(category: Any) -> Any:
    """Return the category as JSON has it: as a text where it is neither text nor number."""
    value = category.item() if isinstance(category, np.generic) else category
    is_sent = isinstance(value, str | bool | int) or (isinstance(value, float) and isfinite(value))
    return value if is_sent else str(value)


def through_function(step: FunctionTransformer, origins: list[Origin]) -> list[Origin]:
    # NumPy's own functions take each number by itself; of others that is not known.
    if step.func is not None and not isinstance(step.func, np.ufunc):
        raise Untraceable
    return [replace(origin, function=name_of(step.func) or origin.function) for origin in origins]


def through_named(step: Any, origins: list[Origin]) -> list[Origin]:
    """Trust a step that calls what comes out by the names of what went in."""
    names = list(getattr(step, "feature_names_in_", map("x{}".format, range(len(origins)))))
    try:
        came = list(step.get_feature_names_out(names))
        return [origins[names.index(name)] for name in came]
    except (AttributeError, ValueError) as unknown:
        raise Untraceable from unknown


def name_of(function: Any) -> str:
    return getattr(function, "__name__", "") if isinstance(function, np.ufunc) else ""
