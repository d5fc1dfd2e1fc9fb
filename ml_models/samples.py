"""The only place that reads a sample of a model's input and says what its columns are."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from ml_models.errors import NotPublishable
from ml_models.pipeline import schema

# A column of more texts than this, or of a new one in every row, is free text.
MOST_CATEGORIES = 50


def read_sample(path: Path) -> pd.DataFrame:
    """Return the rows of a CSV or Parquet file; raise NotPublishable for what is no sample."""
    if path.suffix.lower() not in READERS:
        raise NotPublishable(f"A sample is a .csv or .parquet file; {path.name} is neither.")
    try:
        rows = READERS[path.suffix.lower()](path)
    except ImportError as missing:
        raise NotPublishable(
            "Parquet is read by pyarrow, which is not installed: `pip install pyarrow`, or write "
            "the sample as CSV."
        ) from missing
    # What pandas and pyarrow say of a bad file is a ValueError.
    except (OSError, ValueError) as failure:
        raise NotPublishable(f"The sample cannot be read: {failure}") from failure
    refuse_odd(rows)
    return rows


READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".csv": pd.read_csv,
    ".parquet": pd.read_parquet,
}


def refuse_odd(rows: pd.DataFrame) -> None:
    """Raise NotPublishable if the sample is empty or has a column that JSON cannot send."""
    if rows.empty:
        raise NotPublishable("The sample has no rows.")
    if unnamed := [name for name in rows if not isinstance(name, str)]:
        raise NotPublishable(f"The sample's columns must have texts for names, not {unnamed}.")
    for name in rows:
        if complaint := complaint_about(rows[name]):
            raise NotPublishable(f"Column {name!r} of the sample {complaint}.")


def complaint_about(values: pd.Series) -> str:
    if values.isna().all():
        return "has no value at all"
    if types.is_bool_dtype(values.dtype) or is_plain_number(values.dtype):
        return "" if types.is_bool_dtype(values.dtype) or is_finite(values) else "has infinity"
    if all(isinstance(value, str) for value in values.dropna()):
        return ""
    return f"is {values.dtype}, and neither numbers, truth values without gaps, nor texts"


def is_plain_number(dtype: Any) -> bool:
    return isinstance(dtype, np.dtype) and dtype.kind in "iuf"


def is_finite(values: pd.Series) -> bool:
    return not bool(np.isinf(values).any())


def input_schema(rows: pd.DataFrame) -> dict[str, Any]:
    """Derive the schema of one row: ranges and categories are those that the sample shows."""
    return schema.input_schema(rows, {str(name): configured(rows[name]) for name in rows})


def configured(values: pd.Series) -> dict[str, Any]:
    """Return a column's configuration as the pipeline has it: categories are all that is known."""
    if types.is_numeric_dtype(values.dtype):
        return {}
    known = sorted(values.dropna().unique())
    is_choice = len(known) <= MOST_CATEGORIES and len(known) < values.count()
    return {"order": known} if is_choice else {}


def records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows as a client would send them, null where there is no value."""
    sent: list[dict[str, Any]] = rows.astype(object).where(rows.notna(), None).to_dict("records")
    return sent
