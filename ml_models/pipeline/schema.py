"""The only place that derives what a model takes and gives from the data it learnt from."""

from typing import Any

import pandas as pd
from pandas.api import types

DIALECT = "https://json-schema.org/draft/2020-12/schema"
PHYSICAL_LIMITS = ("minimum", "maximum")
# How a key of the configuration is called in the schema.
NOTES = {
    "title": "title",
    "title_ru": "x-title-ru",
    "description": "description",
    "description_ru": "x-description-ru",
    "unit": "x-unit",
}


def input_schema(rows: pd.DataFrame, columns: dict[str, Any]) -> dict[str, Any]:
    """Describe one row as JSON Schema 2020-12, its properties in the estimator's order."""
    example = typical_row(rows[list(columns)])
    properties = {
        name: describe_column(rows[name], column) | {"examples": [example[name]]}
        for name, column in columns.items()
    }
    return {
        "$schema": DIALECT,
        "type": "object",
        "properties": properties,
        "required": list(columns),
        "additionalProperties": False,
    }


def output_schema(target: dict[str, Any]) -> dict[str, Any]:
    return {"type": "number"} | notes(target)


def typical_row(rows: pd.DataFrame) -> dict[str, Any]:
    """Return the real row in the middle, ordered by all columns from the first on."""
    ordered = rows.sort_values(list(rows.columns), kind="stable")
    row = ordered.iloc[[len(ordered) // 2]].to_dict("records")[0]
    return {name: None if pd.isna(value) else value for name, value in row.items()}


def describe_column(values: pd.Series, column: dict[str, Any]) -> dict[str, Any]:
    name = json_type(values)
    is_nullable = bool(values.isna().any())
    described = {"type": [name, "null"] if is_nullable else name} | notes(column)
    return described | bounds(values.dropna(), column, name, is_nullable=is_nullable)


def json_type(values: pd.Series) -> str:
    if types.is_bool_dtype(values):
        return "boolean"
    if types.is_integer_dtype(values):
        return "integer"
    return "number" if types.is_numeric_dtype(values) else "string"


def notes(column: dict[str, Any]) -> dict[str, Any]:
    return {keyword: column[key] for key, keyword in NOTES.items() if key in column}


def bounds(
    values: pd.Series, column: dict[str, Any], name: str, *, is_nullable: bool
) -> dict[str, Any]:
    if "order" in column:
        return {"enum": categories(values, column["order"]) + [None] * is_nullable}
    if name == "string":
        return {"maxLength": int(values.str.len().max())}
    if name == "boolean":
        return {}
    limits = {key: column[key] for key in PHYSICAL_LIMITS if key in column}
    return limits | {"x-training-range": [values.min().item(), values.max().item()]}


def categories(values: pd.Series, order: list[Any]) -> list[Any]:
    """Return the categories that occur, in the order that has a meaning.

    Raise ValueError if one occurs that the order does not name.
    """
    unordered = set(values) - set(order)
    if unordered:
        raise ValueError(f"No place in the order for {sorted(unordered)}")
    return [category for category in order if (values == category).any()]
