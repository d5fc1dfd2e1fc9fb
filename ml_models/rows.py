"""The only place that checks rows against a version's input schema.

Rows beyond doubt are converted by msgspec and looked over column by column. All others are read
value by value, which finds every error and warning: that reading alone decides, the quick way
only passes what it would pass.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import nsmallest
from itertools import chain, islice
from typing import Any

import msgspec

from ml_models.row_columns import Column, Kind, column_from
from ml_models.row_errors import (
    RowError,
    RowWarning,
    Value,
    further_errors,
    row_is_no_object,
    unexpected_field,
)

MAX_ROW_ERRORS = 20

TYPES: dict[Kind, Any] = {"number": float, "integer": int, "boolean": bool, "string": str}


@dataclass(slots=True)
class CheckedRows:
    """What came of n rows; every index is the row's position in the input."""

    total: int
    valid_indexes: list[int] = field(default_factory=list)
    features: list[list[Value]] = field(default_factory=list)
    errors: dict[int, list[RowError]] = field(default_factory=dict)
    warnings: dict[int, list[RowWarning]] = field(default_factory=dict)

    @property
    def valid(self) -> int:
        return len(self.valid_indexes)


class RowChecker:
    """Check rows of one version; made once per version, safe to share between threads."""

    def __init__(self, input_schema: Mapping[str, Any]) -> None:
        """Raise ValueError for a schema with parts that would go unchecked."""
        required = set(input_schema.get("required", ()))
        self._columns = [
            column_from(name, definition, is_required=name in required)
            for name, definition in input_schema["properties"].items()
        ]
        self.columns = tuple(column.name for column in self._columns)
        self._known = frozenset(self.columns)
        self._doubts = [column.doubts() for column in self._columns]
        self._row_type = _row_type_of(self._columns)

    def check(self, rows: Sequence[object]) -> CheckedRows:
        """Return the features of valid rows, in column order, and what is wrong with the others.

        rows: decoded JSON values, n of them (a key that stands twice was settled by the decoder:
        the last one wins). The same rows give the same answer whatever the order of their keys.
        """
        checked = CheckedRows(total=len(rows))
        clear = self._rows_beyond_doubt(rows)
        for index, row in enumerate(rows):
            features = clear.get(index) or self._read_row(index, row, checked)
            if features is not None:
                checked.valid_indexes.append(index)
                checked.features.append(features)
        return checked

    def _rows_beyond_doubt(self, rows: Sequence[object]) -> dict[int, list[Value]]:
        indexes, converted = self._convert(rows)
        doubtful = {
            position
            for doubts, values in zip(self._doubts, zip(*converted, strict=True), strict=False)
            for position in doubts(values)
        }
        return {
            index: list(values)
            for position, (index, values) in enumerate(zip(indexes, converted, strict=True))
            if position not in doubtful
        }

    def _convert(self, rows: Sequence[object]) -> tuple[list[int], list[tuple[Value, ...]]]:
        indexes: list[int] = []
        converted: list[tuple[Value, ...]] = []
        if self._row_type is None:
            return indexes, converted
        for index, row in enumerate(rows):
            # UnicodeEncodeError is what msgspec raises over half a surrogate pair.
            try:
                struct = msgspec.convert(row, self._row_type)
            except (msgspec.ValidationError, UnicodeEncodeError):
                continue
            indexes.append(index)
            converted.append(msgspec.structs.astuple(struct))
        return indexes, converted

    def _read_row(self, index: int, row: object, checked: CheckedRows) -> list[Value] | None:
        if not isinstance(row, dict):
            checked.errors[index] = [row_is_no_object(row)]
            return None
        features, errors = self._read_values(row)
        if errors := _first_errors(chain(errors, self._unexpected(row))):
            checked.errors[index] = errors
            return None
        if warnings := self._warnings_of(features):
            checked.warnings[index] = warnings
        return features

    def _read_values(self, row: Mapping[object, object]) -> tuple[list[Value], list[RowError]]:
        features: list[Value] = []
        errors: list[RowError] = []
        for column in self._columns:
            if column.name not in row and not column.is_optional:
                errors.append(column.missing())
                continue
            value = column.read(row.get(column.name))
            if isinstance(value, RowError):
                errors.append(value)
            else:
                features.append(value)
        return features, errors

    def _unexpected(self, row: Mapping[object, object]) -> Iterable[RowError]:
        # In order, so that rows stored with sorted keys bring the same errors; the first few only,
        # so that a row of a million strange keys stays cheap.
        strange = (key for key in row if key not in self._known)
        return map(unexpected_field, nsmallest(MAX_ROW_ERRORS + 1, strange, key=str))

    def _warnings_of(self, features: Sequence[Value]) -> list[RowWarning]:
        warnings = (
            column.warn_about(value) for column, value in zip(self._columns, features, strict=True)
        )
        return [warning for warning in warnings if warning is not None]


def _first_errors(errors: Iterable[RowError]) -> list[RowError]:
    """Keep the first errors of a row and say so when there are more."""
    first = list(islice(errors, MAX_ROW_ERRORS + 1))
    if len(first) > MAX_ROW_ERRORS:
        first[MAX_ROW_ERRORS] = further_errors(first[MAX_ROW_ERRORS].code, MAX_ROW_ERRORS)
    return first


def _row_type_of(columns: Sequence[Column]) -> type[msgspec.Struct] | None:
    """Make a struct that takes a row of these columns, or None.

    Fields are numbered, since a column's name need not be an identifier. A name that msgspec
    cannot hold (quotes, backslashes) leaves no struct: such rows are all read with care.
    """
    fields: list[Any] = [
        (
            f"f{position}",
            TYPES[column.kind] | None if column.is_nullable else TYPES[column.kind],
            *((None,) if column.is_optional else ()),
        )
        for position, column in enumerate(columns)
    ]
    names = {f"f{position}": column.name for position, column in enumerate(columns)}
    try:
        return msgspec.defstruct(
            "Row", fields, rename=names, forbid_unknown_fields=True, kw_only=True, gc=False
        )
    except ValueError:
        return None
