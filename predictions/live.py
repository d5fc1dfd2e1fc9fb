"""What the page says beside the inputs while somebody types: the row check's own words."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ml_models.models import ModelVersion
from ml_models.row_errors import RowError, RowWarning
from ml_models.rows import CheckedRows
from ml_models.selectors import check_rows
from mlservice.lib import schema as schemas
from predictions import wording
from predictions.forms import OneRowForm, SchemaRowForm, TableForm
from predictions.grid import GridForm

RowsForm = OneRowForm | GridForm | TableForm

# Of a table the page shows the beginning, and what does not fit.
SHOWN_ROWS, SHOWN_WRONG_ROWS = 5, 20


@dataclass(frozen=True, slots=True)
class Said:
    """What stands beside one input; an empty text takes back what stood there."""

    id: str
    text: str = ""
    is_wrong: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table as it was read, with what is wrong with it."""

    text: str
    complaint: str


@dataclass(frozen=True, slots=True)
class Preview:
    """A table before it is sent: its first rows, and the first of those that do not fit."""

    columns: list[str]
    rows: list[tuple[int, list[Cell]]]
    delimiter: str
    total: int
    wrong: int


def beside_inputs(form: RowsForm, version: ModelVersion) -> list[Said]:
    """Say of every input of the form what the row check says, in the reader's language."""
    lines = form.row_forms()
    checked = check_rows(version=version, rows=[line.row() for line in lines])
    said = [
        one
        for index, line in enumerate(lines)
        for one in _beside(line, checked.errors.get(index, ()), checked.warnings.get(index, ()))
    ]
    empty = [line for line in getattr(form, "lines", []) if line not in lines]
    return said + [Said(id_beside(field)) for line in empty for field in line]


def _beside(
    line: SchemaRowForm, errors: Sequence[RowError], warnings: Sequence[RowWarning]
) -> Iterator[Said]:
    wrong = {error.field: error for error in errors}
    doubted = {warning.field for warning in warnings}
    values = line.row()
    for field in line:
        definition = line.properties[field.name]
        if error := wrong.get(field.name):
            said = complaint_of(error, definition, values.get(field.name))
            yield Said(id_beside(field), said, is_wrong=True)
        elif field.name in doubted:
            yield Said(id_beside(field), wording.outside(definition))
        else:
            yield Said(id_beside(field))


def id_beside(field: Any) -> str:
    return f"{field.auto_id}_said"


def complaint_of(error: RowError, definition: Mapping[str, Any], value: object) -> str:
    told = {"code": error.code, "message": error.message}
    return wording.complaint_about(told, definition, value)


def preview_of(form: TableForm, version: ModelVersion) -> Preview:
    """Lay out the beginning of a table that could be read, and what does not fit in it."""
    table = form.cleaned_data["table"]
    checked = check_rows(version=version, rows=table.rows)
    properties = version.input_schema["properties"]
    wrong = list(checked.errors)
    shown = sorted({*range(min(SHOWN_ROWS, checked.total)), *wrong[:SHOWN_WRONG_ROWS]})
    return Preview(
        columns=[schemas.title_of(*pair) for pair in properties.items()],
        rows=[(at + 1, _cells_of(table.rows[at], at, checked, properties)) for at in shown],
        delimiter=table.delimiter,
        total=checked.total,
        wrong=len(wrong),
    )


def _cells_of(
    row: Mapping[str, Any], at: int, checked: CheckedRows, properties: Mapping[str, Any]
) -> list[Cell]:
    wrong = {error.field: error for error in checked.errors.get(at, ())}
    return [
        Cell(
            schemas.shown(row[name]) if name in row else "",
            complaint_of(wrong[name], definition, row.get(name)) if name in wrong else "",
        )
        for name, definition in properties.items()
    ]
