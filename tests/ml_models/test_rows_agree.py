"""Goal: the quick way through a row, the careful way and JSON Schema itself give one answer.

Method: schemas and rows made at random; the careful way is forced by a column whose name the
quick way cannot hold.
"""

from typing import Any

import jsonschema
import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ml_models.rows import CheckedRows, RowChecker

NAMES = ["a", "b c", "class", "Ширина, мм", "f0"]
UNQUICK = '"'

# A busy machine is no failure.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

numbers = st.sampled_from([-3, -1.0, 0, 0.5, 1, 1.0, 2, 7, 7.5])
texts = st.sampled_from(["", "x", "y", "longer", "1"])
ordinary = st.none() | st.booleans() | numbers | texts
extreme = st.sampled_from([10**400, -(10**30), 1e308, float("inf"), float("nan"), "x" * 1001])
json_values = st.recursive(
    ordinary | extreme | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def definitions(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["number", "integer", "boolean", "string"]))
    nulls = ["null"] if draw(st.booleans()) else []
    definition: dict[str, Any] = {"type": [kind, *nulls]}
    if kind == "string" and draw(st.booleans()):
        definition["maxLength"] = draw(st.integers(0, 5))
    if kind in ("number", "integer"):
        definition |= draw(st.dictionaries(st.sampled_from(["minimum", "maximum"]), numbers))
        definition |= draw(st.sampled_from([{}, {"x-training-range": [0, 2]}]))
    categories: dict[str, list[Any]] = {
        "number": [0.5, 1, 7.5],
        "integer": [1, 7],
        "string": ["x", "longer"],
    }
    if kind in categories and draw(st.booleans()):
        definition["enum"] = categories[kind] + ([None] if nulls else [])
    return definition


@st.composite
def schemas(draw: st.DrawFn) -> dict[str, Any]:
    properties = draw(st.dictionaries(st.sampled_from(NAMES), definitions(), max_size=4))
    optional = {name for name in properties if draw(st.booleans())}
    required = [
        name
        for name, definition in properties.items()
        if name not in optional or "null" not in definition["type"]
    ]
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def rows_for(schema: dict[str, Any], values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Rows with all the columns, some of them or a strange one."""
    columns = list(schema["properties"])
    full = st.fixed_dictionaries(dict.fromkeys(columns, values))
    partial = st.dictionaries(st.sampled_from([*columns, "strange", "other"]), values)
    return st.lists(full | partial, max_size=6)


def check_with_care(schema: dict[str, Any], rows: list[Any]) -> CheckedRows:
    flag = {UNQUICK: {"type": "boolean"}}
    guarded = schema | {
        "properties": schema["properties"] | flag,
        "required": [*schema["required"], UNQUICK],
    }
    flagged = [row | {UNQUICK: True} if isinstance(row, dict) else row for row in rows]
    checked = RowChecker(guarded).check(flagged)
    checked.features = [features[:-1] for features in checked.features]
    return checked


def exactly(checked: CheckedRows) -> str:
    """Tell 1 from 1.0 and from true, and 0.0 from -0.0."""
    return repr(checked)


@unhurried
@given(st.data())
def test_the_quick_way_and_the_careful_way_agree(data: st.DataObject) -> None:
    schema = data.draw(schemas())
    rows = data.draw(rows_for(schema, ordinary | extreme) | st.lists(json_values, max_size=4))

    quick = RowChecker(schema).check(rows)

    assert exactly(quick) == exactly(check_with_care(schema, rows))


@unhurried
@given(st.data())
def test_a_row_is_valid_just_when_json_schema_says_so(data: st.DataObject) -> None:
    schema = data.draw(schemas())
    rows = data.draw(rows_for(schema, ordinary))

    checked = RowChecker(schema).check(rows)

    validator = jsonschema.Draft202012Validator(schema)
    assert checked.valid_indexes == [i for i, row in enumerate(rows) if validator.is_valid(row)]


@unhurried
@given(st.data())
def test_each_row_is_either_valid_or_explained(data: st.DataObject) -> None:
    schema = data.draw(schemas())
    rows = data.draw(st.lists(json_values, max_size=4) | rows_for(schema, json_values))

    checked = RowChecker(schema).check(rows)

    assert sorted([*checked.valid_indexes, *checked.errors]) == list(range(len(rows)))
    assert set(checked.warnings) <= set(checked.valid_indexes)
    assert all(checked.errors.values())
    assert all(len(features) == len(schema["properties"]) for features in checked.features)


@unhurried
@given(st.data())
def test_neither_company_nor_the_order_of_keys_changes_an_answer(data: st.DataObject) -> None:
    schema = data.draw(schemas())
    rows = data.draw(rows_for(schema, ordinary | extreme))
    checker = RowChecker(schema)

    together = checker.check(rows)

    for index, row in enumerate(rows):
        alone = checker.check([dict(sorted(row.items(), reverse=True))])
        assert alone.errors.get(0) == together.errors.get(index)
        assert alone.warnings.get(0) == together.warnings.get(index)


@unhurried
@given(st.data())
def test_rows_that_were_stored_give_the_same_answer(data: st.DataObject) -> None:
    schema = data.draw(schemas())
    rows = data.draw(rows_for(schema, ordinary))
    checker = RowChecker(schema)

    stored = msgspec.json.decode(msgspec.json.encode(rows, order="sorted"))

    assert exactly(checker.check(stored)) == exactly(checker.check(rows))
