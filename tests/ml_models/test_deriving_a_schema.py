"""Goal: a schema says what the training data shows, and limits only where they are stated."""

from typing import Any

import jsonschema
import pandas as pd
import pytest

from ml_models.pipeline.schema import describe_column, input_schema
from ml_models.releases import read_release
from tests.ml_models.builders import ensure_built


@pytest.mark.parametrize(
    ("values", "column", "expected"),
    [
        ([0.5, 2.0], {}, {"type": "number", "x-training-range": [0.5, 2.0]}),
        ([3, 1], {}, {"type": "integer", "x-training-range": [1, 3]}),
        ([1.5, None], {}, {"type": ["number", "null"], "x-training-range": [1.5, 1.5]}),
        ([True, False], {}, {"type": "boolean"}),
        (["ab", "c"], {}, {"type": "string", "maxLength": 2}),
        (["b", "a"], {"order": ["a", "b", "c"]}, {"type": "string", "enum": ["a", "b"]}),
        (["a", None], {"order": ["a"]}, {"type": ["string", "null"], "enum": ["a", None]}),
        ([2, 1], {"order": [1, 2]}, {"type": "integer", "enum": [1, 2]}),
        (
            [1.0],
            {"minimum": 0, "unit": "mm", "title": "Length"},
            {
                "type": "number",
                "title": "Length",
                "x-unit": "mm",
                "minimum": 0,
                "x-training-range": [1.0, 1.0],
            },
        ),
    ],
)
def test_a_column_is_described_from_its_values(
    values: list[Any], column: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert describe_column(pd.Series(values), column) == expected


def test_a_category_without_a_place_in_the_order_is_refused() -> None:
    with pytest.raises(ValueError, match="surprise"):
        describe_column(pd.Series(["a", "surprise"]), {"order": ["a"]})


def test_the_example_is_a_real_row() -> None:
    rows = pd.DataFrame({"b": [3.0, 1.0, 2.0], "a": ["x", "y", "z"]})

    schema = input_schema(rows, {"b": {}, "a": {}})

    assert list(schema["properties"]) == schema["required"] == ["b", "a"]
    examples = {name: column["examples"] for name, column in schema["properties"].items()}
    assert examples == {"b": [2.0], "a": ["z"]}


@pytest.mark.parametrize("slug", ["random-forest", "linear-regression"])
def test_a_shipped_schema_is_valid_and_takes_its_own_example(slug: str) -> None:
    ensure_built()
    release = read_release(slug)

    jsonschema.Draft202012Validator.check_schema(release.input_schema)
    jsonschema.validate(release.example, release.input_schema)

    assert all("title" in column for column in release.input_schema["properties"].values())
