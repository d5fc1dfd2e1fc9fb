"""The only place that gives rows the shape that an estimator takes: an array, or a table.

A missing value is NaN in all of them, as it is where pandas has read the training data.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ml_models.row_errors import Value

Rows = Sequence[Sequence[Value]]
Columns = Mapping[str, Mapping[str, Any]]

# JSON has one type of text, pandas reads it as its own; a whole column without a gap is exact.
DTYPES = {"number": "float64", "integer": "int64", "boolean": "bool"}


def shaped(rows: Rows, *, kind: str, columns: Columns) -> Any:
    """Return n rows, each in the order of the columns, as `kind` says."""
    return SHAPES[kind](rows, columns)


def objects(rows: Rows, columns: Columns) -> Any:
    array = np.array(rows, dtype=object)
    if any(has_gaps(column) for column in columns.values()):
        array[array == None] = np.nan  # noqa: E711
    return array


def numbers(rows: Rows, columns: Columns) -> Any:
    return np.array(rows, dtype=float)


def table(rows: Rows, columns: Columns) -> Any:
    """Return a pandas DataFrame."""
    # Imported here, since few estimators need it and it costs half a second and 50 MB.
    import pandas as pd

    values = zip(*rows, strict=True)
    return pd.DataFrame(
        {
            name: pd.Series(column, dtype=dtype_of(columns[name]))
            for name, column in zip(columns, values, strict=True)
        }
    )


def dtype_of(column: Mapping[str, Any]) -> str | None:
    kind = column["type"]
    if has_gaps(column):
        return "float64" if {"number", "integer"} & set(kind) else None
    return DTYPES.get(kind)


def has_gaps(column: Mapping[str, Any]) -> bool:
    return isinstance(column["type"], list) and "null" in column["type"]


SHAPES: dict[str, Callable[[Rows, Columns], Any]] = {
    "objects": objects,
    "numbers": numbers,
    "table": table,
}
