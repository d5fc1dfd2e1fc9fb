"""The only place that reads rows from CSV text, and writes results to it."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from mlservice.lib.errors import InvalidRequest
from mlservice.lib.schema import NUMBER, is_nullable, value_from
from predictions import wording

Line = tuple[int, list[str]]

DELIMITERS = (",", ";", "\t")
UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
LONGEST_HEADER = 100_000
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a table, each value typed by the schema, and what separated its cells."""

    rows: list[dict[str, Any]]
    delimiter: str


def decode(content: bytes) -> str:
    """Decode an uploaded file; raise InvalidRequest for what is not UTF-8 text."""
    if content.startswith(UTF_16_MARKS):
        raise InvalidRequest(_("The file is UTF-16. Save it as “CSV UTF-8” and try again."))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = _("The file is not UTF-8. Save it as “CSV UTF-8” and try again.")
        raise InvalidRequest(message) from error


def read_table(text: str, schema: Mapping[str, Any]) -> Table:
    """Read a table with a header line into rows, each value typed by the schema.

    Columns are separated by comma, semicolon or TAB. An empty cell is a missing value, null
    where the column may be. Raise InvalidRequest when the text is not such a table.
    """
    text = text.removeprefix("\ufeff")
    if "\0" in text:
        raise InvalidRequest(_("The table holds NUL bytes, so it is not CSV text in UTF-8."))
    properties = schema["properties"]
    delimiter = max(DELIMITERS, key=lambda mark: _known_columns(text, mark, properties))
    lines = _lines(text, delimiter)
    header = [name.strip() for name in next(lines, (0, []))[1]]
    _check_header(header, schema)
    rows = [_row(cells, header, properties, line) for line, cells in _limited(lines)]
    if not rows:
        raise InvalidRequest(_("The table has no row under its header."))
    return Table(rows, delimiter)


def _lines(text: str, delimiter: str) -> Iterator[Line]:
    """Yield the number of each line that is not blank, and its cells."""
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True
    )
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            message = _("Line %(line)d: a quotation mark is not closed, or stands inside a cell.")
            raise InvalidRequest(message % {"line": line}) from error
        if any(cell.strip() for cell in cells):
            yield line, cells


def _known_columns(text: str, delimiter: str, properties: Mapping[str, Any]) -> int:
    first = re.split("[\r\n]", text.lstrip("\r\n"), maxsplit=1)[0]
    cells = next(csv.reader([first[:LONGEST_HEADER]], delimiter=delimiter), [])
    return sum(cell.strip() in properties for cell in cells)


def _check_header(header: Sequence[str], schema: Mapping[str, Any]) -> None:
    columns = {"columns": ", ".join(schema["properties"])}
    if not header:
        message = _("The table is empty. Its first line names the columns: %(columns)s.")
        raise InvalidRequest(message % columns)
    if not set(header) & set(schema["properties"]):
        message = _("The first line must name the columns: %(columns)s.")
        raise InvalidRequest(message % columns)
    _refuse_names(_("A column of the header has no name: %(names)s."), _unnamed(header))
    twice = [name for name in dict.fromkeys(header) if header.count(name) > 1]
    _refuse_names(_("The header names a column twice: %(names)s."), twice)
    unknown = [name for name in header if name not in schema["properties"]]
    _refuse_names(_("The model has no such column; remove it: %(names)s."), unknown)
    missing = [name for name in schema.get("required", []) if name not in header]
    _refuse_names(_("The header lacks a column: %(names)s."), missing)


def _unnamed(header: Sequence[str]) -> list[str]:
    return [str(position) for position, name in enumerate(header, start=1) if not name]


def _refuse_names(message: str, names: Sequence[str]) -> None:
    if names:
        raise InvalidRequest(message % {"names": ", ".join(name[:60] for name in names[:10])})


def _limited(lines: Iterator[Line]) -> Iterator[Line]:
    for count, line in enumerate(lines):
        if count == settings.PREDICTION_MAX_ROWS:
            message = _("The table has more than %(limit)d rows, which are the most at once.")
            raise InvalidRequest(message % {"limit": settings.PREDICTION_MAX_ROWS})
        yield line


def _row(
    cells: Sequence[str], header: Sequence[str], properties: Mapping[str, Any], line: int
) -> dict[str, Any]:
    if len(cells) != len(header):
        message = _("Line %(line)d has %(cells)d cells; the header has %(columns)d.")
        raise InvalidRequest(message % {"line": line, "cells": len(cells), "columns": len(header)})
    row: dict[str, Any] = {}
    for name, cell in zip(header, cells, strict=True):
        if wording.is_decimal_comma(cell, properties[name]):
            message = _("Line %(line)d: %(advice)s")
            raise InvalidRequest(message % {"line": line, "advice": wording.comma_advice(cell)})
        if cell.strip():
            row[name] = value_from(cell, properties[name])
        elif is_nullable(properties[name]):
            row[name] = None
    return row


def write_table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Write a table whose cells no spreadsheet takes for formulas."""
    return "".join(table_lines(header, rows))


def table_lines(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Yield the lines of such a table one by one, for one that need not fit into memory."""
    write = csv.writer(_Echo()).writerow
    for cells in chain([header], rows):
        yield write([_harmless(cell) for cell in cells])


def rows_text(names: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Write rows as `read_rows` reads them: for a form, so each cell stays as it is."""
    write = csv.writer(_Echo()).writerow
    lines = ([_plain(row.get(name)) for name in names] for row in rows)
    return "".join(write(cells) for cells in chain([names], lines))


class _Echo:
    def write(self, line: str) -> str:
        return line


def _plain(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def _harmless(value: Any) -> Any:
    if not isinstance(value, str) or NUMBER.fullmatch(value):
        return value
    return f"'{value}" if value.startswith(FORMULA_STARTS) else value
