"""Any schema makes a form, whatever its columns are called."""

from typing import Any

import pytest
from django.utils import translation

from mlservice.lib.schema import shown_number
from mlservice.lib.schema_form import RowForm

SCHEMA: dict[str, Any] = {
    "properties": {
        "Living area": {"type": "number", "x-unit": "m²", "minimum": 0},
        "rooms": {"type": "integer", "enum": [1, 2, 3]},
        "cellar": {"type": "boolean"},
        "street": {"type": ["string", "null"], "description": "<b>Where</b>", "maxLength": 9},
        "street ": {"type": ["number", "null"]},
    }
}
SENT = {
    "column-0": "81.5",
    "column-rooms": "2",
    "column-cellar": "false",
    "column-street": "",
    "column-4": "",
}


def test_a_row_is_typed_and_an_empty_input_is_no_value() -> None:
    form = RowForm(SENT, schema=SCHEMA)

    assert form.is_valid()
    assert form.row() == {"Living area": 81.5, "rooms": 2, "cellar": False}


def test_names_that_no_id_may_have_give_way_to_positions() -> None:
    form = RowForm(schema=SCHEMA)

    assert [field.html_name for field in form] == list(SENT)
    assert 'id="id_column-0"' in str(form["Living area"])


def test_a_description_is_text_and_no_markup() -> None:
    assert "&lt;b&gt;Where" in str(RowForm(schema=SCHEMA).fields["street"].help_text)


def test_what_is_no_choice_is_refused() -> None:
    form = RowForm(SENT | {"column-rooms": "9", "column-0": ""}, schema=SCHEMA)

    assert set(form.errors) == {"rooms", "Living area"}


@pytest.mark.parametrize(
    ("value", "english", "russian"),
    [
        (326.34875, "326.349", "326,349"),
        (1234567.0, "1,234,567", "1\xa0234\xa0567"),
        (18823, "18,823", "18\xa0823"),
        (0.2, "0.2", "0,2"),
        (-0.25, "-0.25", "-0,25"),
        (0, "0", "0"),
        (0.0000123456789, "1.23457e-05", "1.23457e-05"),
        (1e300, "1e+300", "1e+300"),
    ],
)
def test_a_number_is_written_for_its_reader(value: float, english: str, russian: str) -> None:
    with translation.override("en"):
        assert shown_number(value) == english
    with translation.override("ru"):
        assert shown_number(value) == russian
