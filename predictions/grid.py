"""The form of several rows as a table of inputs, into which a spreadsheet's cells can be pasted."""

import re
from collections.abc import Iterator, Mapping
from itertools import islice
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
EMPTY: dict[str, str] = {}


class LineForm(SchemaRowForm):
    """One line of the table; left empty in every cell it is no row."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, empty_permitted=True, use_required_attribute=False, **options)
        for field in self.fields.values():
            # A choice that stood at its first value would fill every line.
            if isinstance(field, forms.ChoiceField):
                choices: Any = field.choices
                field.choices = dict([("", "–"), *choices])
            # Rows that do not fit are sent as well, and are free, as in a table.
            field.required = False
            # A cell has its label above the column, which not everybody sees.
            field.widget.attrs["aria-label"] = str(field.label)
            field.help_text = ""


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
        return max(1, min(MOST_ROWS, MOST_INPUTS // len(self.columns)))

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


def rows_asked(data: Mapping[str, Any]) -> int:
    asked = str(data.get("rows", ""))
    return int(asked) if re.fullmatch(r"\d{1,3}", asked, re.ASCII) else FIRST_ROWS


def with_more_rows(data: Any, count: int = MORE_ROWS) -> Any:
    """Return what was sent, asking for some rows more."""
    more = data.copy()
    more["rows"] = str(rows_asked(data) + count)
    return more


def pasted(data: Any, version: ModelVersion) -> Any:
    """Return what was sent with the cells of `paste` filled in, from the input `at` on.

    A first line that names the columns is skipped, and goes with them to their places.
    """
    filled = data.copy()
    place = PLACE.fullmatch(data.get("at", ""))
    if place is None:
        return filled
    first_row, names = int(place[1]), list(version.input_schema["properties"])
    inputs = _input_names(version)
    lines = list(_cells(data.get("paste", "")))
    first_column = inputs.index(place[2]) if place[2] in inputs else 0
    columns = list(range(first_column, len(names)))
    if lines and (named := _named(lines[0], version)):
        lines, columns = lines[1:], named
    for row, cells in enumerate(lines[: MOST_ROWS - first_row], start=first_row):
        for column, cell in zip(columns, cells, strict=False):
            if column is not None:
                filled[f"row-{row}-{inputs[column]}"] = cell.strip()
    filled["rows"] = str(min(max(first_row + len(lines), rows_asked(data)), MOST_ROWS))
    return filled


def _input_names(version: ModelVersion) -> list[str]:
    form = SchemaRowForm(schema=version.input_schema)
    return [form.add_prefix(name) for name in form.fields]


def _cells(text: str) -> Iterator[list[str]]:
    lines = (line for line in text.splitlines() if line.strip())
    for line in islice(lines, MOST_ROWS + 1):
        yield line.split("\t")


def _named(cells: list[str], version: ModelVersion) -> list[Any] | None:
    """Return the positions of the columns that a line names, if it names any by name or title."""
    places: dict[str, int] = {}
    for at, (name, definition) in enumerate(version.input_schema["properties"].items()):
        places |= {name.lower(): at, schemas.title_of(name, definition).lower(): at}
    found = [places.get(cell.strip().lower()) for cell in cells]
    return found if any(place is not None for place in found) else None
