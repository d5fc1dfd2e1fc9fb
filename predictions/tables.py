"""The only place that lays the rows of a prediction out as a table, for the page and for CSV."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from django.utils.translation import gettext as _

from ml_models.models import ModelVersion
from mlservice.lib import schema as schemas
from predictions import wording
from predictions.bars import Bars, bars_of
from predictions.csv import write_table
from predictions.models import Prediction

# A page has no room for all labels of a large classifier; CSV and API have them.
SHOWN_LABELS = 5
NOT_YET: dict[str, Any] = {"status": ""}


@dataclass(frozen=True, slots=True)
class ResultRow:
    """One row as it was sent, and what came of it; `number` counts from one."""

    number: int
    cells: list[Any]
    status: str
    prediction: Any
    probabilities: dict[str, float]
    notes: list[str]
    explanation: Mapping[str, Any] | None
    columns: Mapping[str, Any]

    @property
    def shown_cells(self) -> list[str]:
        return [schemas.shown(cell) for cell in self.cells]

    @property
    def shown_prediction(self) -> str:
        return "" if self.prediction is None else schemas.shown(self.prediction)

    @property
    def bars(self) -> Bars | None:
        return bars_of(self.explanation, self.columns) if self.explanation else None

    @property
    def shown_sum(self) -> str:
        """Return what an explanation adds up to: the prediction, or its label's probability."""
        if self.explanation is None or not self.probabilities:
            return self.shown_prediction
        added = self.explanation["contributions"].values()
        return schemas.shown(sum(added, self.explanation["base"]))

    @property
    def shown_probabilities(self) -> list[tuple[str, str]]:
        """Return the most probable labels' names with their probabilities."""
        falling = sorted(self.probabilities.items(), key=lambda pair: -pair[1])
        return [(name, schemas.shown(value)) for name, value in falling[:SHOWN_LABELS]]


def column_titles(prediction: Prediction) -> list[str]:
    """Return the titles of the version's columns, with their units."""
    properties = prediction.version.input_schema["properties"]
    return [
        _with_unit(schemas.title_of(name, column), column) for name, column in properties.items()
    ]


def prediction_title(prediction: Prediction) -> str:
    """Return what is predicted, with its unit."""
    predicted = prediction.version.output_schema
    return _with_unit(schemas.words(predicted, "title") or _("Prediction"), predicted)


def _with_unit(title: str, definition: Mapping[str, Any]) -> str:
    return f"{title}, {definition['x-unit']}" if "x-unit" in definition else title


def result_rows(prediction: Prediction) -> Iterator[ResultRow]:
    """Yield every row with its outcome, in the order they were sent; none that was removed."""
    if prediction.data_removed:
        return
    sent = prediction.input_value
    rows = sent if isinstance(sent, list) else [sent]
    outcomes = prediction.output_value or [NOT_YET] * len(rows)
    properties = prediction.version.input_schema["properties"]
    for number, (row, outcome) in enumerate(zip(rows, outcomes, strict=True), start=1):
        named = row if isinstance(row, dict) else {}
        yield ResultRow(
            number=number,
            cells=[_cell(named[name]) if name in named else "" for name in properties],
            status=outcome["status"],
            prediction=outcome.get("prediction"),
            probabilities=outcome.get("probabilities", {}),
            notes=_notes(outcome, properties),
            explanation=outcome.get("explanation"),
            columns=properties,
        )


def _cell(value: Any) -> Any:
    if isinstance(value, dict | list):
        return msgspec.json.encode(value).decode()
    return value


def _notes(outcome: Mapping[str, Any], properties: Mapping[str, Any]) -> list[str]:
    errors = [wording.sentence(error, properties) for error in outcome.get("errors", [])]
    doubts = [wording.warning(doubt, properties) for doubt in outcome.get("warnings", [])]
    return errors + doubts


def results_csv(prediction: Prediction, *, only: str = "") -> str:
    """Write rows and results as CSV, under the names that the API uses; `only` one status's."""
    names = list(prediction.version.input_schema["properties"])
    labels = prediction.version.output_schema.get("x-probabilities", [])
    added = names if prediction.explain else []
    header = [
        *("row", *names, "status", "prediction", *map("probability_{}".format, labels)),
        *(["base"] if added else []),
        *(*map("contribution_{}".format, added), "notes"),
    ]
    rows = (row for row in result_rows(prediction) if not only or row.status == only)
    return write_table(header, [_result_cells(row, labels, added) for row in rows])


def _result_cells(row: ResultRow, labels: Sequence[str], added: Sequence[str]) -> list[Any]:
    probabilities = [row.probabilities.get(label) for label in labels]
    told = row.explanation or {"base": None, "contributions": {}}
    base = [told["base"]] if added else []
    contributions = [told["contributions"].get(name) for name in added]
    return [
        *(row.number, *row.cells, row.status, row.prediction, *probabilities),
        *(*base, *contributions, "; ".join(row.notes)),
    ]


def example_table(version: ModelVersion) -> str:
    """Write the version's example as the table that a client might send."""
    names = list(version.input_schema["properties"])
    return write_table(names, [[version.example.get(name) for name in names]])
