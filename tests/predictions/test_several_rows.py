"""Several rows in a table of inputs: left empty they are none, pasted they find their places."""

from collections.abc import Callable
from typing import Any

import pytest
from django.http import QueryDict
from django.test import Client

from accounts.models import User
from billing.services import wallet_of
from ml_models.models import ModelVersion
from predictions.grid import FIRST_ROWS, MOST_ROWS, GridForm, pasted, with_more_rows
from predictions.models import Prediction
from predictions.waiting import waiters
from tests.ml_models.builders import make_version

NEW = "/predictions/new"
PageOf = Callable[[User], Client]
STONE = {
    "carat": "0.9", "cut": "Ideal", "color": "E", "clarity": "VS1",
    "depth": "61", "table": "57", "x": "6.1", "y": "6.2", "z": "3.8",
}  # fmt: skip


@pytest.fixture(autouse=True)
def nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiters, "is_draining", True)


def sent(*rows: dict[str, str], **fields: Any) -> dict[str, Any]:
    cells = {
        f"row-{at}-column-{name}": value
        for at, row in enumerate(rows)
        for name, value in row.items()
    }
    return {"model": "linear-regression", "version": 1, "as": "rows", **cells, **fields}


def query(**fields: Any) -> QueryDict:
    data = QueryDict(mutable=True)
    data.update(fields)
    return data


def test_the_first_row_is_the_example_and_the_others_are_empty(
    page: PageOf, alice: User, published_version: ModelVersion
) -> None:
    form = page(alice).get(NEW, {"model": "linear-regression", "as": "rows"}).context["form"]

    first, *others = form.lines
    assert len(form.lines) == FIRST_ROWS
    assert first["carat"].value() == str(published_version.example["carat"])
    assert all(line["carat"].value() is None for line in others)
    assert all(line.fields["cut"].widget.choices[0] == ("", "–") for line in form.lines)


def test_filled_rows_are_sent_and_empty_ones_are_not(
    page: PageOf, alice: User, published_version: ModelVersion
) -> None:
    empty = dict.fromkeys(STONE, "")

    page(alice).post(NEW, sent(STONE, empty, STONE | {"carat": "1.2"}, rows="5"))

    prediction = Prediction.objects.get()
    assert [row["carat"] for row in prediction.input_value] == [0.9, 1.2]
    assert wallet_of(alice.pk).held == 2


def test_a_row_that_does_not_fit_goes_along_free(
    page: PageOf, alice: User, published_version: ModelVersion
) -> None:
    page(alice).post(NEW, sent(STONE, STONE | {"cut": "Splendid"}, STONE | {"depth": ""}))

    prediction = Prediction.objects.get()
    assert (prediction.rows_total, prediction.rows_valid) == (3, 1)
    assert wallet_of(alice.pk).held == 1


def test_rows_of_which_none_fits_are_marked_and_not_sent(
    page: PageOf, alice: User, published_version: ModelVersion
) -> None:
    answer = page(alice).post(NEW, sent({}, STONE | {"depth": "120"}, STONE | {"carat": "heavy"}))

    _, second, third, *_ = answer.context["form"].lines
    assert answer.status_code == 422
    assert second["depth"].errors == ["Must be from 0 to 100."]
    assert third["carat"].errors == ["Must be a number."]
    assert not Prediction.objects.exists()


def test_without_a_filled_row_nothing_is_sent(
    page: PageOf, alice: User, published_version: ModelVersion
) -> None:
    answer = page(alice).post(NEW, sent())

    assert answer.context["form"].non_field_errors() == ["Fill in a row."]


def test_more_rows_are_laid_out_without_sending_any(
    page: PageOf, alice: User, published_version: ModelVersion
) -> None:
    answer = page(alice).post(NEW, sent(STONE, rows="5", more="1"))

    form = answer.context["form"]
    assert len(form.lines) == 15
    assert form.lines[0]["carat"].value() == "0.9"
    assert not Prediction.objects.exists()


@pytest.mark.parametrize("asked", ["9999", "-3", "many", "", "٣"])
def test_the_number_of_rows_stays_within_its_limits(
    published_version: ModelVersion, asked: str
) -> None:
    form = GridForm(with_more_rows(query(rows=asked)), version=published_version)

    assert 1 <= len(form.lines) <= MOST_ROWS


def test_a_wide_model_has_fewer_rows_than_a_request_has_inputs(
    published_version: ModelVersion,
) -> None:
    published_version.input_schema = {
        "properties": {f"column {at}": {"type": "number"} for at in range(120)}
    }

    form = GridForm(query(rows="40"), version=published_version)

    assert len(form.lines) == 3


def test_cells_of_a_spreadsheet_fill_from_where_they_are_pasted(
    published_version: ModelVersion,
) -> None:
    text = "1.1\tGood\r\n1.2\tIdeal\r\n"

    filled = pasted(query(rows="2", paste=text, at="row-1-column-carat"), published_version)

    assert filled["row-1-column-carat"] == "1.1"
    assert filled["row-2-column-cut"] == "Ideal"
    assert filled["rows"] == "3"
    assert "row-1-column-color" not in filled


def test_a_line_of_names_tells_where_its_columns_go(published_version: ModelVersion) -> None:
    text = "Clarity\tcarat\tnobody knows\nVS2\t0.5\tx\n"

    filled = pasted(query(paste=text, at="row-0-column-carat"), published_version)

    assert (filled["row-0-column-clarity"], filled["row-0-column-carat"]) == ("VS2", "0.5")
    assert "x" not in filled.values()


def test_what_does_not_fit_on_the_page_is_counted(
    page: PageOf, alice: User, published_version: ModelVersion
) -> None:
    text = "\n".join(f"{at / 10}" for at in range(1, 200))
    fields = sent(STONE, rows="5", paste=text, at="row-30-column-carat")

    answer = page(alice).post(NEW, fields, headers={"HX-Request": "true"})

    lines = answer.context["form"].lines
    assert len(lines) == MOST_ROWS
    assert lines[39]["carat"].value() == "1.0"
    assert "189 pasted rows found no place here; send them as CSV." in answer.content.decode()


def test_a_cell_may_hold_a_line_break(published_version: ModelVersion) -> None:
    text = '1.1\t"Very\nGood"\n1.2\tIdeal\n'

    filled = pasted(query(paste=text, at="row-0-column-carat"), published_version)

    assert filled["row-0-column-cut"] == "Very\nGood"
    assert filled["row-1-column-carat"] == "1.2"


def test_one_cell_that_is_called_like_a_column_makes_no_header(
    published_version: ModelVersion,
) -> None:
    filled = pasted(query(paste="0.5\tcut\tE\n", at="row-0-column-carat"), published_version)

    assert filled["row-0-column-carat"] == "0.5"


def test_a_pasted_choice_that_is_none_stays_to_be_seen(
    page: PageOf, alice: User, published_version: ModelVersion
) -> None:
    answer = page(alice).post(NEW, sent(STONE | {"cut": "very good"}, more="1"))

    assert '<option value="very good" selected>' in answer.content.decode()
    choices = answer.context["form"].lines[0].fields["cut"].widget.choices
    assert [value for value, _ in choices][:2] == ["", "Fair"]


def test_a_pasted_decimal_comma_stays_and_is_advised_on(
    page: PageOf, alice: User, published_version: ModelVersion
) -> None:
    fields = sent(STONE | {"carat": "0,7"})

    laid_out = page(alice).post(NEW, fields | {"more": "1"}).content.decode()
    answer = page(alice).post("/predictions/quote", fields)

    assert 'value="0,7"' in laid_out
    assert "Write decimals with a point, as 0.7, not 0,7." in answer.content.decode()


def test_a_wrong_cell_of_an_optional_column_is_no_missing_value(page: PageOf, alice: User) -> None:
    schema = {
        "type": "object",
        "properties": {
            "width": {"type": "number"},
            "age": {"type": ["number", "null"], "enum": [1, 2, None]},
        },
        "required": ["width", "age"],
        "additionalProperties": False,
    }
    make_version(input_schema=schema, example={"width": 1.5, "age": 2})
    cells = {"row-0-column-width": "1.5", "row-0-column-age": "7"}

    answer = page(alice).post(NEW, {"model": "toy", "as": "rows", **cells})

    assert answer.status_code == 422
    assert answer.context["form"].lines[0]["age"].errors == ["Must be one of: 1, 2, –."]
    assert not Prediction.objects.exists()


@pytest.mark.parametrize("at", ["", "nonce", "row-0-", "row-999-column-carat"])
def test_a_paste_to_nowhere_changes_nothing(published_version: ModelVersion, at: str) -> None:
    filled = pasted(query(paste="1\t2\n", at=at, rows="5"), published_version)

    assert not any(name.endswith("-column-carat") for name in filled)


def test_a_paste_is_answered_with_the_table_alone(
    page: PageOf, alice: User, published_version: ModelVersion
) -> None:
    fields = sent(STONE, rows="5", paste="2.5\n2.6\n", at="row-1-column-carat")

    answer = page(alice).post(NEW, fields, headers={"HX-Request": "true"})

    shown = answer.content.decode()
    assert shown.count("<html") == 0
    assert 'id="grid"' in shown
    assert 'value="2.6"' in shown
