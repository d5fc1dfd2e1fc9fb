"""The only place that writes the history of predictions as CSV."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
from django.utils.translation import gettext as _

from predictions.csv import table_lines
from predictions.models import PredictionQuerySet

MOST_IN_A_FILE = 10_000
READ_AT_ONCE = 1_000
HEADER = (
    *("id", "created_at", "model", "version", "status", "source", "rows_total", "rows_valid"),
    *("explain", "price", "cost", "refunded", "error_code", "completed_at", "metadata"),
)
COLUMNS = (
    *("id", "created_at", "version__model__slug", "version__number", "status", "source"),
    *("rows_total", "rows_valid", "explain", "price", "cost", "hold__refunded", "error_code"),
    *("completed_at", "metadata"),
)


def history_csv(predictions: PredictionQuerySet) -> Iterator[str]:
    """Yield the newest predictions as lines of CSV, under the names that the API uses.

    However many there are, few are in memory at once; a file that is cut says so in its last line.
    """
    # The answer is streamed after the reader's language has been put away.
    cut = _("Only the newest %(most)d predictions fit into one file: narrow the days for others.")
    return table_lines(HEADER, _lines(predictions, cut % {"most": MOST_IN_A_FILE}))


def _lines(predictions: PredictionQuerySet, cut: str) -> Iterator[list[Any]]:
    newest = predictions.newest_first().values_list(*COLUMNS)[: MOST_IN_A_FILE + 1]
    for number, values in enumerate(newest.iterator(chunk_size=READ_AT_ONCE)):
        if number == MOST_IN_A_FILE:
            yield [cut]
        else:
            yield [_cell(value) for value in values]


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return msgspec.json.encode(value).decode() if value else ""
    return "" if value is None else value
