"""The form of several rows as a table of inputs, into which a spreadsheet's cells can be pasted."""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS
from django.utils.translation import gettext as _

from ml_models.models import ModelVersion
from mlservice.lib import schema as schemas
from mlservice.lib.errors import DomainError
from predictions import wording
from predictions.forms import SchemaRowForm

FIRST_ROWS, MORE_ROWS, MOST_ROWS = 5, 10, 40
# A request has at most DATA_UPLOAD_MAX_NUMBER_FIELDS inputs.
MOST_INPUTS = 450
PLACE = re.compile(r"row-(\d{1,2})-(.+)")
LEFT_OUT = "left-out"
EMPTY: dict[str, str] = {}


class LineForm(SchemaRowForm):
    """One line of the table; left empty in every cell it is no row.

    Its cells take any text, so that what is pasted stays to be seen, and the row check judges it.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, empty_permitted=True, use_required_attribute=False, **options)
        for name, field in self.fields.items():
            # A cell has its label above the column, which not everybody sees.
            label = {"aria-label": str(field.label)}
            typed = str(self.data.get(self.add_prefix(name), ""))
            widget = widget_for(field, label, typed)
            self.fields[name] = forms.CharField(widget=widget, required=False)


def widget_for(field: forms.Field, label: dict[str, str], typed: str) -> forms.Widget:
    if isinstance(field, forms.ChoiceField):
        choices: Any = field.choices
        # A choice that stood at its first value would fill every line; one that was pasted and is
        # none stays to be seen.
        offered = {"": "–"} | dict(choices)
        offered.setdefault(typed, typed)
        return forms.Select(label, choices=list(offered.items()))
    mode = {"inputmode": "decimal"} if isinstance(field.widget, forms.NumberInput) else {}
    return forms.TextInput(label | mode)


class GridForm(forms.Form):
    """Up to forty rows, an input a cell; rows left empty are not sent."""

    rows = forms.IntegerField(widget=forms.HiddenInput, required=False, min_value=1)

    def __init__(self, data: Any = None, files: Any = None, *, version: ModelVersion) -> None:
        super().__init__(data, files)
        self.version = version
        self.columns = [
            schemas.title_of(*pair) for pair in version.input_schema["properties"].items()
        ]
        self.lines = [self._line(at, data) for at in range(self._count(data))]

    def _line(self, at: int, data: Any) -> LineForm:
        # An initial value that was sent as it is would count as nothing filled in.
        example = self.version.example if at == 0 and data is None else None
        schema = self.version.input_schema
        return LineForm(data, schema=schema, example=example, prefix=f"row-{at}")

    @property
    def most_rows(self) -> int:
        return most_rows(self.version)

    @property
    def left_out(self) -> int:
        """Return how many pasted rows found no place."""
        return whole_number(self.data.get(LEFT_OUT), otherwise=0)

    def _count(self, data: Mapping[str, Any] | None) -> int:
        return min(max(1, rows_asked(data or EMPTY)), self.most_rows)

    def row_forms(self) -> list[SchemaRowForm]:
        """Return the lines that have something in them."""
        return [line for line in self.lines if line.has_changed()]

    def clean(self) -> dict[str, Any]:
        if not self.row_forms():
            raise forms.ValidationError(_("Fill in a row."))
        return self.cleaned_data

    def input(self) -> Any:
        return [line.row() for line in self.row_forms()]

    def refuse(self, error: DomainError) -> None:
        """Show a refusal at the cells that it is about, else over the table."""
        refused = error.extra.get("errors", [])
        filled = self.row_forms()
        for problem in refused:
            filled[problem["index"]].blame(problem)
        said = _("No row fits the model; what is wrong is marked.")
        self.add_error(NON_FIELD_ERRORS, said if refused else wording.refusal(error))


def most_rows(version: ModelVersion) -> int:
    columns = len(version.input_schema["properties"])
    return max(1, min(MOST_ROWS, MOST_INPUTS // columns))


def rows_asked(data: Mapping[str, Any]) -> int:
    return whole_number(data.get("rows"), otherwise=FIRST_ROWS)


def whole_number(text: object, *, otherwise: int) -> int:
    said = str(text)
    return int(said) if re.fullmatch(r"\d{1,4}", said, re.ASCII) else otherwise


def with_more_rows(data: Any, count: int = MORE_ROWS) -> Any:
    """Return what was sent, asking for some rows more."""
    more = data.copy()
    more["rows"] = str(rows_asked(data) + count)
    return more


def pasted(data: Any, version: ModelVersion) -> Any:
    """Return what was sent with the cells of `paste` filled in, from the input `at` on.

    A first line that names columns is skipped, and its cells go to their places. What finds no
    place on the page is counted.
    """
    filled = data.copy()
    place = PLACE.fullmatch(data.get("at", ""))
    inputs = _input_names(version)
    if place is None or place[2] not in inputs:
        return filled
    first_row, first_column = int(place[1]), inputs.index(place[2])
    lines = list(_cells(data.get("paste", "")))
    columns: list[int | None] = list(range(first_column, len(inputs)))
    if lines and (named := _named(lines[0], version)):
        lines, columns = lines[1:], named
    room = max(0, most_rows(version) - first_row)
    for row, cells in enumerate(lines[:room], start=first_row):
        for column, cell in zip(columns, cells, strict=False):
            if column is not None:
                filled[f"row-{row}-{inputs[column]}"] = cell.strip()
    filled[LEFT_OUT] = str(max(0, len(lines) - room))
    filled["rows"] = str(max(first_row + len(lines[:room]), rows_asked(data)))
    return filled


def _input_names(version: ModelVersion) -> list[str]:
    form = SchemaRowForm(schema=version.input_schema)
    return [form.add_prefix(name) for name in form.fields]


def _cells(text: str) -> Iterator[list[str]]:
    """Yield the lines as a spreadsheet puts them down: TAB between cells, quotes around breaks."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter="\t")
    with suppress(csv.Error):
        yield from (line for line in reader if any(cell.strip() for cell in line))


def _named(cells: list[str], version: ModelVersion) -> list[int | None] | None:
    """Return the positions of the columns that a line names; a header names most of its cells."""
    places: dict[str, int] = {}
    for at, (name, definition) in enumerate(version.input_schema["properties"].items()):
        places |= {name.lower(): at, schemas.title_of(name, definition).lower(): at}
    found = [places.get(cell.strip().lower()) for cell in cells]
    named = sum(place is not None for place in found)
    return found if named * 2 > len(cells) else None
