"""The only place that chooses golden rows: what an estimator gave for them, it must give again."""

from typing import Any

import pandas as pd

MOST_ROWS = 20
# Rows with a gap, of which a sample may have many or few.
MOST_WITH_GAPS = 5
# Processors differ in the last digits; these they share, and a replay asks for nine.
SHARED_DIGITS = 11


def positions(rows: pd.DataFrame) -> list[int]:
    """Return the places of up to 20 rows, spread over all; a few with gaps are among them."""
    with_gaps = rows.isna().any(axis=1).to_numpy().nonzero()[0][:MOST_WITH_GAPS].tolist()
    room = min(MOST_ROWS - len(with_gaps), len(rows))
    spread = [place * len(rows) // room for place in range(room)]
    return sorted({*with_gaps, *spread})


def golden_row(row: dict[str, Any], output: dict[str, Any]) -> dict[str, Any]:
    return {"input": row, "output": output}


def shared(value: float) -> float:
    """Return the value to the digits that every processor finds."""
    return float(f"{value:.{SHARED_DIGITS}g}")
