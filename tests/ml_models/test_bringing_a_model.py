"""Goal: any regressor or classifier becomes a version by one command.

Each test hands over what a data scientist would: an artifact, and a sample of its input.
"""

from pathlib import Path
from typing import Any

import joblib
import jsonschema
import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ml_models import artifacts, inference
from ml_models.fetching import address
from tests.ml_models.houses import (
    HOUSES,
    IS_DEAR,
    PRICES,
    SIZES,
    ByName,
    Told,
    answers,
    columnar,
    positional,
    publish,
)
from tests.ml_models.s3 import ObjectStore, object_store

__all__ = ["object_store"]

pytestmark = pytest.mark.django_db


def test_a_regressor_of_arrays_becomes_a_version(bring: Any) -> None:
    line = LinearRegression().fit(SIZES.to_numpy(float), PRICES)

    version = bring(line, SIZES, "--price", "7", "--output", "Price", "--unit", "EUR")

    assert (version.number, version.price, version.status) == (1, 7, "published")
    assert version.model.stable_id == version.pk
    assert version.output_schema == {"type": "number", "title": "Price", "x-unit": "EUR"}
    assert version.input_kind == "numbers"
    assert answers(version, SIZES) == pytest.approx(line.predict(SIZES.to_numpy(float)), rel=1e-12)


def test_the_schema_says_what_the_sample_shows(bring: Any) -> None:
    version = bring(columnar(LinearRegression()).fit(HOUSES, PRICES), HOUSES)

    size, rooms, is_new, kind = version.input_schema["properties"].values()
    assert (size["type"], size["x-training-range"]) == ("number", [0.5, 5.75])
    assert (rooms["type"], rooms["x-training-range"]) == ("integer", [1, 4])
    assert is_new["type"] == "boolean"
    assert (kind["type"], kind["enum"]) == ("string", ["flat", "house"])
    assert version.example in HOUSES.to_dict("records")
    jsonschema.validate(version.example, version.input_schema)


def test_a_pipeline_of_texts_takes_an_array_of_objects(bring: Any) -> None:
    line = positional(LinearRegression()).fit(HOUSES.to_numpy(object), PRICES)

    version = bring(line, HOUSES)

    assert version.input_kind == "objects"
    assert answers(version, HOUSES) == pytest.approx(PRICES, abs=10)


def test_a_pipeline_that_needs_names_is_given_a_table(bring: Any) -> None:
    line = columnar(LinearRegression()).fit(HOUSES, PRICES)

    version = bring(line, HOUSES)

    assert version.input_kind == "table"
    assert answers(version, HOUSES) == pytest.approx(line.predict(HOUSES), rel=1e-9)


def test_names_that_change_nothing_are_left_out_for_speed(bring: Any) -> None:
    line = make_pipeline(StandardScaler(), LinearRegression()).fit(SIZES, PRICES)

    version = bring(line, SIZES)

    assert version.input_kind == "numbers"
    assert answers(version, SIZES) == pytest.approx(line.predict(SIZES), rel=1e-9)


def test_an_estimator_that_asks_for_a_column_by_name_is_given_a_table(
    bring: Any,
) -> None:
    version = bring(ByName().fit(HOUSES, PRICES), HOUSES)

    assert version.input_kind == "table"
    assert answers(version, HOUSES) == HOUSES["size"].tolist()


def test_a_classifier_gives_labels_and_probabilities(bring: Any) -> None:
    forest = RandomForestClassifier(n_estimators=9, random_state=1, n_jobs=2).fit(SIZES, IS_DEAR)

    version = bring(forest, SIZES, "--output", "Class")

    assert version.output_schema == {
        "type": "string",
        "title": "Class",
        "enum": ["cheap", "dear"],
        "x-probabilities": ["cheap", "dear"],
    }
    predicted = answers(version, SIZES)
    assert [one.label for one in predicted] == forest.predict(SIZES).tolist()
    assert [list(one.probabilities.values()) for one in predicted] == forest.predict_proba(
        SIZES
    ).tolist()
    assert version.golden_rows[0]["output"]["prediction"] == "cheap"


@pytest.mark.parametrize(
    ("labels", "type", "names"),
    [([0, 1], "integer", ["0", "1"]), ([False, True], "boolean", ["false", "true"])],
)
def test_labels_keep_their_type(bring: Any, labels: list[Any], type: str, names: list[str]) -> None:
    target = np.repeat(labels, 3)

    version = bring(LogisticRegression().fit(SIZES, target), SIZES)

    assert (version.output_schema["type"], version.output_schema["enum"]) == (type, labels)
    assert version.output_schema["x-probabilities"] == names


def test_a_classifier_without_probabilities_is_published_without(bring: Any) -> None:
    version = bring(RidgeClassifier().fit(SIZES, IS_DEAR), SIZES)

    assert "x-probabilities" not in version.output_schema
    assert answers(version, SIZES)[5].label == "dear"


def test_golden_rows_are_inputs_with_what_the_estimator_gave(bring: Any) -> None:
    line = columnar(LinearRegression()).fit(HOUSES, PRICES)

    version = bring(line, HOUSES)

    inputs = pd.DataFrame([row["input"] for row in version.golden_rows])
    pd.testing.assert_frame_equal(inputs, HOUSES)
    outputs = [row["output"]["prediction"] for row in version.golden_rows]
    assert outputs == line.predict(HOUSES).tolist()


def test_an_estimator_that_takes_gaps_makes_columns_nullable(bring: Any) -> None:
    rows = SIZES[["size", "rooms"]].astype(float)
    rows.loc[3, "size"] = np.nan
    trees = HistGradientBoostingRegressor(max_iter=3, min_samples_leaf=1).fit(rows, PRICES)

    version = bring(trees, rows)

    assert version.input_schema["properties"]["size"]["type"] == ["number", "null"]
    assert [row["input"]["size"] for row in version.golden_rows][3] is None
    assert (
        inference.predict(version=version, rows=[[None, 3.0]]) == trees.predict(rows[3:4]).tolist()
    )


def test_many_different_texts_are_free_text(bring: Any) -> None:
    rows = pd.DataFrame({"name": ["Ada", "Bob", "Cleo"], "size": [1.0, 2.0, 3.0]})

    version = bring(Told().fit(rows, [1.0, 2.0, 3.0]), rows)

    name = version.input_schema["properties"]["name"]
    assert (name["maxLength"], "enum" in name) == (4, False)


def test_a_sample_is_read_from_parquet_too(tmp_path: Path) -> None:
    joblib.dump(LinearRegression().fit(SIZES, PRICES), tmp_path / "model.joblib")
    SIZES.to_parquet(tmp_path / "sample.parquet")

    version = publish(tmp_path / "model.joblib", tmp_path / "sample.parquet")

    assert list(version.input_schema["properties"]) == list(SIZES)
    assert version.input_schema["properties"]["is_new"]["type"] == "boolean"


def test_the_artifact_goes_to_the_remote_where_workers_look(
    bring: Any, object_store: ObjectStore
) -> None:
    version = bring(LinearRegression().fit(SIZES, PRICES), SIZES)
    artifacts.stored_path(version.artifact_md5).unlink()

    inference.unload()

    assert f"/models/{address(version.artifact_md5)}" in object_store.objects
    assert answers(version, SIZES) == pytest.approx(PRICES, abs=10)
