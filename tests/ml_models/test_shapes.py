"""Goal: rows reach an estimator as it takes them, with NaN where there is no value."""

from typing import Any

import numpy as np
import pandas as pd

from ml_models.shapes import shaped

COLUMNS: dict[str, dict[str, Any]] = {
    "size": {"type": ["number", "null"]},
    "count": {"type": "integer"},
    "is_new": {"type": "boolean"},
    "grade": {"type": ["string", "null"]},
}
ROWS: list[list[Any]] = [[1.5, 2, True, "A"], [None, 3, False, None]]


def test_objects_keep_their_types_and_gaps_are_nan() -> None:
    array = shaped(ROWS, kind="objects", columns=COLUMNS)

    assert array.dtype == object
    assert array[0].tolist() == ROWS[0]
    assert [array[1, 0] is np.nan, array[1, 3] is np.nan] == [True, True]


def test_numbers_are_floats_and_gaps_are_nan() -> None:
    columns = {name: COLUMNS[name] for name in ("size", "count", "is_new")}

    array = shaped([row[:3] for row in ROWS], kind="numbers", columns=columns)

    assert array.dtype == float
    assert np.array_equal(array, [[1.5, 2, 1], [np.nan, 3, 0]], equal_nan=True)


def test_a_table_is_what_pandas_reads_from_csv() -> None:
    frame = shaped(ROWS, kind="table", columns=COLUMNS)

    read = pd.DataFrame(
        {"size": [1.5, None], "count": [2, 3], "is_new": [True, False], "grade": ["A", np.nan]}
    )
    pd.testing.assert_frame_equal(frame, read)
