"""Goal: a row comes out as the model takes it, or with every reason why not."""

import math
from typing import Any

import msgspec
import pytest

from ml_models.row_errors import RowError, RowWarning
from ml_models.rows import CheckedRows, RowChecker

PROPERTIES: dict[str, dict[str, Any]] = {
    "carat": {"type": "number", "minimum": 0, "maximum": 50, "x-training-range": [0.2, 5.01]},
    "cut": {"type": "string", "enum": ["Fair", "Good"]},
    "count": {"type": ["integer", "null"]},
    "Ширина, мм": {"type": "number"},
    "class": {"type": "boolean"},
    "grade": {"type": "number", "enum": [1.0, 1.5]},
    "note": {"type": "string", "maxLength": 5},
}
REQUIRED = [name for name in PROPERTIES if name != "count"]
ROW: dict[str, Any] = {
    "carat": 1.5,
    "cut": "Good",
    "count": 3,
    "Ширина, мм": 2.5,
    "class": True,
    "grade": 1.5,
    "note": "plain",
}
BOTTOMLESS: list[Any] = []
for _ in range(100_000):
    BOTTOMLESS = [BOTTOMLESS]


def checker(properties: dict[str, Any] = PROPERTIES, **schema: Any) -> RowChecker:
    return RowChecker({"properties": properties, "required": REQUIRED} | schema)


def check(**changes: Any) -> CheckedRows:
    return checker().check([ROW | changes])


def only_error(**changes: Any) -> RowError:
    (error,) = check(**changes).errors[0]
    return error


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in ROW.items() if key != name}


def test_a_valid_row_comes_out_in_column_order() -> None:
    backwards = dict(reversed(ROW.items()))

    checked = checker().check([backwards])

    assert checked.features == [[1.5, "Good", 3, 2.5, True, 1.5, "plain"]]
    assert checked.valid_indexes == [0]
    assert (checked.errors, checked.warnings) == ({}, {})


def test_columns_are_named_in_the_order_of_the_schema() -> None:
    assert checker().columns == tuple(PROPERTIES)


def test_valid_rows_keep_their_positions_beside_invalid_ones() -> None:
    rows = [ROW, ROW | {"cut": "Superb"}, ROW | {"carat": 9}, [], ROW]

    checked = checker().check(rows)

    assert checked.valid_indexes == [0, 2, 4]
    assert [features[0] for features in checked.features] == [1.5, 9.0, 1.5]
    assert sorted(checked.errors) == [1, 3]
    assert (checked.total, checked.valid) == (5, 3)


@pytest.mark.parametrize(
    ("name", "value", "code", "message"),
    [
        ("cut", "Superb", "category", "cut must be one of Fair, Good; got 'Superb'."),
        ("cut", "good", "category", "cut must be one of Fair, Good; got 'good'."),
        ("cut", 7, "type", "cut must be a text; got 7."),
        ("grade", 2, "category", "grade must be one of 1.0, 1.5; got 2."),
        ("carat", "1.5", "type", "carat must be a number; got '1.5'."),
        ("carat", "1_000", "type", "carat must be a number; got '1_000'."),
        ("carat", "١٢", "type", "carat must be a number; got '١٢'."),
        ("carat", True, "type", "carat must be a number; got true."),
        ("carat", None, "type", "carat must be a number; got null."),
        ("carat", {}, "type", "carat must be a number; got an object."),
        ("carat", [1.5], "type", "carat must be a number; got a list."),
        ("carat", BOTTOMLESS, "type", "carat must be a number; got a list."),
        ("carat", (), "type", "carat must be a number; got something else."),
        ("carat", -1, "range", "carat must be between 0 and 50; got -1."),
        ("carat", 50.5, "range", "carat must be between 0 and 50; got 50.5."),
        ("Ширина, мм", math.inf, "range", "Ширина, мм must be a finite number; got inf."),
        ("Ширина, мм", math.nan, "range", "Ширина, мм must be a finite number; got nan."),
        (
            "Ширина, мм",
            10**400,
            "range",
            "Ширина, мм must be a finite number; got an integer of more than 20 digits.",
        ),
        ("count", math.inf, "range", "count must be a finite number; got inf."),
        ("count", 2.5, "type", "count must be a whole number or null; got 2.5."),
        ("count", False, "type", "count must be a whole number or null; got false."),
        ("class", 1, "type", "class must be true or false; got 1."),
        ("note", "123456", "too_long", "note must be at most 5 characters; got 6."),
        ("note", "x" * 1001, "too_long", "note must be at most 5 characters; got 1001."),
        ("carat", "x" * 1001, "too_long", "carat must be at most 1000 characters; got 1001."),
    ],
)
def test_a_value_is_refused_with_its_code_and_what_to_do(
    name: str, value: object, code: str, message: str
) -> None:
    error = only_error(**{name: value})

    assert (error.field, error.code, error.message) == (name, code, message)


def test_an_integer_too_long_to_print_is_out_of_range() -> None:
    error = only_error(count=-(10**5000))

    message = "count must be a finite number; got an integer of more than 20 digits."
    assert (error.code, error.message) == ("range", message)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"minimum": 0}, "a must be finite and at least 0; got -1."),
        ({"maximum": -2}, "a must be finite and at most -2; got -1."),
    ],
)
def test_a_single_limit_is_named_alone(limits: dict[str, float], message: str) -> None:
    rows = checker({"a": {"type": "number"} | limits}).check([{"a": -1}])

    assert rows.errors[0][0].message == message


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("count", 3.0, 3),
        ("count", 2**70, 2**70),
        ("count", None, None),
        ("carat", 2, 2.0),
        ("carat", 5.01, 5.01),
        ("Ширина, мм", -0.0, -0.0),
        ("Ширина, мм", 2**53 + 1, 2.0**53),
        ("grade", 1, 1.0),
        ("note", "\0😀", "\0😀"),
        ("note", "", ""),
    ],
)
def test_a_value_is_taken_as_the_model_needs_it(name: str, value: object, kept: object) -> None:
    checked = check(**{name: value})

    taken = checked.features[0][list(PROPERTIES).index(name)]
    assert (taken, type(taken)) == (kept, type(kept))
    assert checked.warnings == {}


def test_a_missing_column_says_what_to_send() -> None:
    checked = checker().check([without("carat")])

    message = "carat is missing; send a number."
    assert checked.errors == {0: [RowError("carat", "missing", message)]}


def test_a_nullable_column_that_is_not_required_may_be_absent() -> None:
    checked = checker().check([without("count")])

    assert checked.features[0][2] is None


def test_a_nullable_column_that_is_required_may_not_be_absent() -> None:
    checked = checker(required=list(PROPERTIES)).check([without("count")])

    assert [error.code for error in checked.errors[0]] == ["missing"]


def test_a_column_that_is_not_nullable_may_not_be_absent() -> None:
    checked = checker(required=[]).check([without("carat")])

    assert [error.code for error in checked.errors[0]] == ["missing"]


def test_a_nullable_category_takes_null() -> None:
    properties = {"a": {"type": ["string", "null"], "enum": ["x", None]}}

    checked = checker(properties, required=["a"]).check([{"a": None}, {"a": "x"}, {"a": "y"}])

    assert checked.features == [[None], ["x"]]
    assert [error.code for error in checked.errors[2]] == ["category"]


def test_an_unexpected_column_is_named() -> None:
    error = only_error(colour="E")

    message = "'colour' is not a column of this model; remove it."
    assert error == RowError("colour", "unexpected", message)


def test_every_error_of_a_row_is_reported() -> None:
    row = without("grade") | {"carat": "big", "cut": "Superb", "note": "too long", "b": 1, "a": 1}

    errors = checker().check([row]).errors[0]

    assert [(error.field, error.code) for error in errors] == [
        ("carat", "type"),
        ("cut", "category"),
        ("grade", "missing"),
        ("note", "too_long"),
        ("a", "unexpected"),
        ("b", "unexpected"),
    ]


@pytest.mark.parametrize(
    ("row", "seen"),
    [(None, "null"), ([], "a list"), ("text", "'text'"), (5, "5"), (BOTTOMLESS, "a list")],
)
def test_a_row_that_is_no_object_is_one_error(row: object, seen: str) -> None:
    checked = checker().check([row])

    message = f"A row must be an object that names its columns; got {seen}."
    assert checked.errors == {0: [RowError(None, "type", message)]}


def test_a_million_strange_keys_bring_twenty_errors_and_a_closing_one() -> None:
    row = ROW | {f"{number:07}": None for number in range(1_000_000, 0, -1)}

    errors = checker().check([row]).errors[0]

    assert [error.field for error in errors[:20]] == [f"{number:07}" for number in range(1, 21)]
    assert errors[20].field is None
    assert errors[20].message.startswith("Only the first 20 errors of this row are listed")
    assert len(errors) == 21


def test_exactly_twenty_errors_need_no_closing_one() -> None:
    row = ROW | {f"strange {number}": None for number in range(20)}

    errors = checker().check([row]).errors[0]

    assert len(errors) == 20
    assert None not in [error.field for error in errors]


@pytest.mark.parametrize(
    "text", ["a\nb\x00\x1b[31m", "\u202egnp.exe", "\ud800", "\x00" * 1000, "x" * 1000, "'" * 70]
)
def test_a_message_shows_little_of_the_input_and_nothing_unprintable(text: str) -> None:
    plain = only_error(cut="Superb").message.replace("'Superb'", "")

    error = only_error(cut=text)

    assert error.message.isprintable()
    assert len(error.message) <= len(plain) + 60


def test_a_strange_name_is_cut_in_field_and_message() -> None:
    error = only_error(**{"k" * 5000: 1})

    assert error.field == "k" * 59 + "…"
    assert len(error.message) < 120


def test_a_long_list_of_categories_is_cut() -> None:
    properties = {"a": {"type": "string", "enum": [f"c{number}" for number in range(12)]}}

    checked = checker(properties).check([{"a": "x"}])

    listed = "c0, c1, c2, c3, c4, c5, c6, c7, c8, c9 and 2 more"
    assert checked.errors[0][0].message == f"a must be one of {listed}; got 'x'."


@pytest.mark.parametrize("carat", [0, 0.1, 5.02, 50])
def test_a_row_outside_the_training_range_is_valid_with_a_warning(carat: float) -> None:
    checked = check(carat=carat)

    assert checked.valid_indexes == [0]
    assert checked.warnings == {0: [RowWarning("carat")]}
    assert checked.warnings[0][0].code == "outside_training_range"


def test_an_invalid_row_carries_no_warnings() -> None:
    checked = check(carat=9, cut="Superb")

    assert checked.warnings == {}


def test_a_category_outside_the_limits_is_refused() -> None:
    properties = {"a": {"type": "integer", "enum": [1, 9], "maximum": 5}}

    checked = checker(properties).check([{"a": 1}, {"a": 9}])

    assert checked.valid_indexes == [0]
    assert [error.code for error in checked.errors[1]] == ["range"]


@pytest.mark.parametrize("name", ["", "x y", 'width, "', "a\\b", "a\nb", "f1", "class", "Цена"])
def test_a_column_may_have_any_name(name: str) -> None:
    checked = checker({name: {"type": "number"}}).check([{name: 2}, {name: "2"}])

    assert checked.features == [[2.0]]
    assert [(error.field, error.code) for error in checked.errors[1]] == [(name, "type")]


def test_a_key_that_stands_twice_counts_as_its_last_value() -> None:
    rows = msgspec.json.decode(b'[{"a": "text", "a": 1}]')

    checked = checker({"a": {"type": "number"}}).check(rows)

    assert checked.features == [[1.0]]


def test_no_rows_are_no_trouble() -> None:
    checked = checker().check([])

    assert checked == CheckedRows(total=0)


def test_a_model_without_columns_takes_empty_rows() -> None:
    checked = checker({}).check([{}, {"a": 1}])

    assert checked.features == [[]]
    assert checked.valid_indexes == [0]


def test_errors_are_written_as_objects() -> None:
    error = only_error(cut=7)

    written = msgspec.json.decode(msgspec.json.encode(error))
    assert written == {"field": "cut", "code": "type", "message": "cut must be a text; got 7."}


@pytest.mark.parametrize(
    ("definition", "complaint"),
    [
        ({"type": "number", "multipleOf": 2}, "multipleOf cannot be checked"),
        ({"type": "array"}, "one type of"),
        ({"type": ["string", "number"]}, "one type of"),
        ({}, "one type of"),
        ({"type": "string", "enum": ["a", None]}, "disagree about null"),
        ({"type": ["string", "null"], "enum": ["a"]}, "disagree about null"),
        ({"type": "string", "enum": ["a", 1]}, "every category must be a text"),
        ({"type": "number", "enum": [True]}, "every category must be a number"),
    ],
)
def test_a_schema_that_would_go_unchecked_is_refused(
    definition: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        checker({"a": definition})
