"""Goal: any regressor or classifier becomes a version by one command, or is refused in words.

Each test hands over what a data scientist would: an artifact, and a sample of its input.
"""

import os
from io import StringIO
from pathlib import Path
from typing import Any

import joblib
import jsonschema
import numpy as np
import pandas as pd
import pytest
import skops.io
from django.core.management import CommandError, call_command, load_command_class
from pytest_django import Settings
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from ml_models import artifacts, inference, samples
from ml_models.models import ModelVersion
from tests.ml_models.s3 import ObjectStore, object_store
from tests.ml_models.test_loading_an_artifact import Canary

__all__ = ["object_store"]

pytestmark = pytest.mark.django_db

SIZES = pd.DataFrame(
    {
        "size": [0.5, 1.25, 2.0, 3.5, 4.0, 5.75],
        "rooms": [1, 1, 2, 3, 3, 4],
        "is_new": [True, False, True, False, True, False],
    }
)
HOUSES = SIZES.assign(kind=["flat", "flat", "house", "house", "flat", "house"])
PRICES = np.array([10.0, 20.0, 35.0, 60.0, 65.0, 90.0])
IS_DEAR = np.array(["cheap", "cheap", "cheap", "dear", "dear", "dear"])


class Told(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A regressor of somebody's own, that skops has never heard of."""

    def fit(self, features: Any, target: Any) -> "Told":
        self.mean_ = float(np.mean(target))
        return self

    def predict(self, features: Any) -> Any:
        return np.full(len(features), self.mean_)


class ByName(Told):
    def predict(self, features: Any) -> Any:
        return features["size"]


class Endless(Told):
    def predict(self, features: Any) -> Any:
        return np.full(len(features), np.inf)


@pytest.fixture
def bring(tmp_path: Path) -> Any:
    """Write artifact and sample, run the command, and return the version it made."""
    inference.unload()

    def run(estimator: Any, rows: pd.DataFrame | str, *more: str) -> ModelVersion:
        artifact, sample = tmp_path / "model.joblib", tmp_path / "sample.csv"
        joblib.dump(estimator, artifact)
        sample.write_text(rows if isinstance(rows, str) else rows.to_csv(index=False))
        return publish(artifact, sample, *more)

    return run


def publish(artifact: Path, sample: Path, *more: str) -> ModelVersion:
    words = ["--slug", "houses", "--title", "Houses"]
    files = [f"--artifact={artifact}", f"--sample={sample}"]
    call_command("publish_model", *files, *words, *more, stdout=StringIO())
    return ModelVersion.objects.latest("pk")


def columnar(last: Any) -> Any:
    """A pipeline that knows its columns by name, and so takes nothing but a table."""
    kinds = ColumnTransformer([("kinds", OneHotEncoder(), ["kind"])], remainder="passthrough")
    return make_pipeline(kinds, last)


def positional(last: Any) -> Any:
    kinds = ColumnTransformer([("kinds", OneHotEncoder(), [3])], remainder="passthrough")
    return make_pipeline(kinds, last)


def answers(version: ModelVersion, rows: pd.DataFrame) -> list[Any]:
    return inference.predict(version=version, rows=rows.to_numpy(dtype=object).tolist())


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


def test_scikit_learns_own_is_stored_as_skops(bring: Any) -> None:
    version = bring(columnar(LinearRegression()).fit(HOUSES, PRICES), HOUSES)

    assert version.artifact_format == "skops"
    assert artifacts.stored_path(version.artifact_md5).read_bytes().startswith(b"PK")


def test_what_skops_does_not_know_stays_joblib(bring: Any) -> None:
    version = bring(Told().fit(SIZES, PRICES), SIZES)

    assert version.artifact_format == "joblib"
    assert answers(version, SIZES) == [pytest.approx(PRICES.mean())] * 6


def test_joblib_is_kept_where_it_is_asked_for(bring: Any, tmp_path: Path) -> None:
    version = bring(LinearRegression().fit(SIZES, PRICES), SIZES, "--format", "joblib")

    stored = artifacts.stored_path(version.artifact_md5).read_bytes()
    assert version.artifact_format == "joblib"
    assert stored == (tmp_path / "model.joblib").read_bytes()


def test_skops_that_is_a_must_and_cannot_be_is_refused(bring: Any) -> None:
    with pytest.raises(CommandError, match=r"does not go through skops unchanged.*Told"):
        bring(Told().fit(SIZES, PRICES), SIZES, "--format", "skops")


def test_a_skops_file_is_published_as_it_is(tmp_path: Path) -> None:
    SIZES.to_csv(tmp_path / "sample.csv", index=False)
    skops.io.dump(LinearRegression().fit(SIZES, PRICES), tmp_path / "model.skops")

    version = publish(tmp_path / "model.skops", tmp_path / "sample.csv")
    again = publish(tmp_path / "model.skops", tmp_path / "sample.csv")

    assert version.artifact_format == "skops"
    assert again == version


def test_a_malicious_skops_file_is_refused_unrun(tmp_path: Path) -> None:
    mark = tmp_path / "canary"
    bait = FunctionTransformer(os.mkdir, kw_args={"mode": 0o700})
    skops.io.dump(make_pipeline(bait, LinearRegression()), tmp_path / "model.skops")
    SIZES.to_csv(tmp_path / "sample.csv", index=False)

    with pytest.raises(CommandError, match=r"posix\.mkdir"):
        publish(tmp_path / "model.skops", tmp_path / "sample.csv")

    assert not mark.exists()
    assert not ModelVersion.objects.exists()


def test_a_joblib_file_is_trusted_by_whoever_publishes_it(bring: Any, tmp_path: Path) -> None:
    """The help says so: nothing can look into a pickle without running it."""
    mark = tmp_path / "canary"

    with pytest.raises(CommandError, match="NoneType, no scikit-learn estimator"):
        bring(Canary(mark), SIZES)

    assert mark.exists()
    assert not ModelVersion.objects.exists()


@pytest.mark.parametrize(
    ("estimator", "said"),
    [
        ({"a": 1}, "is a dict, no scikit-learn estimator"),
        (LinearRegression, "ABCMeta, no scikit-learn estimator"),
        (StandardScaler().fit(SIZES), "StandardScaler, no scikit-learn estimator"),
        (KMeans(2, n_init=1).fit(SIZES), "KMeans, neither regressor nor classifier"),
        (LinearRegression(), "LinearRegression is not fitted"),
        (make_pipeline(StandardScaler(), LinearRegression()), "Pipeline is not fitted"),
        (Endless().fit(SIZES, PRICES), "no finite number for row 1"),
        (
            MultiOutputRegressor(LinearRegression()).fit(SIZES, np.c_[PRICES, PRICES]),
            "does not predict the sample.*reshape",
        ),
        (
            RandomForestClassifier(3).fit(SIZES, np.c_[IS_DEAR, IS_DEAR]),
            "one label a row",
        ),
        (
            RandomForestClassifier(1).fit(np.c_[range(101)], range(101)),
            "takes 1 columns, the sample has 3",
        ),
    ],
    ids=lambda case: "" if isinstance(case, str) else type(case).__name__,
)
def test_what_cannot_be_published_is_refused_in_words(
    bring: Any, estimator: Any, said: str
) -> None:
    with pytest.raises(CommandError, match=said):
        bring(estimator, SIZES)

    assert not ModelVersion.objects.exists()


def test_too_many_labels_are_refused(bring: Any) -> None:
    rows = pd.DataFrame({"size": np.arange(101.0)})

    with pytest.raises(CommandError, match="has 101 labels; 100 are the most"):
        bring(RandomForestClassifier(1).fit(rows, range(101)), rows)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (SIZES.drop(columns="rooms"), "missing: rooms; unknown: none"),
        (SIZES.rename(columns={"size": "area"}), "missing: size; unknown: area"),
        (SIZES.assign(price=PRICES), "unknown: price.*no target"),
        (SIZES[["rooms", "size", "is_new"]], "in the order of fitting: size, rooms, is_new"),
        (SIZES.to_csv(), "unknown: Unnamed: 0.*index=False"),
        (SIZES[:0], "has no rows"),
        ("", "cannot be read"),
        (SIZES.assign(size=[1.0, None, 2, 3, 4, 5]), "does not predict the sample.*NaN"),
        (SIZES.assign(size=None), "'size' of the sample has no value at all"),
        (SIZES.assign(size=[np.inf, 1, 2, 3, 4, 5]), "'size' of the sample has infinity"),
        (SIZES.assign(is_new=[True, None, True, True, True, False]), "truth values without gaps"),
        (SIZES.assign(size=["wide"] * 6), "does not predict the sample.*wide"),
    ],
    ids=lambda case: case if isinstance(case, str) else "",
)
def test_a_sample_that_does_not_fit_is_refused_in_words(bring: Any, rows: Any, said: str) -> None:
    line = LinearRegression().fit(SIZES, PRICES)

    with pytest.raises(CommandError, match=said):
        bring(line, rows)

    assert not ModelVersion.objects.exists()


def test_a_sample_of_another_width_is_refused_where_no_names_were_learnt(bring: Any) -> None:
    line = LinearRegression().fit(SIZES.to_numpy(float), PRICES)

    with pytest.raises(CommandError, match="takes 3 columns, the sample has 4"):
        bring(line, SIZES.assign(price=PRICES))


def test_a_text_too_long_for_a_request_is_refused(bring: Any) -> None:
    rows = pd.DataFrame({"name": ["x" * 1_001, "y", "z"]})

    with pytest.raises(CommandError, match=r"Row 1 of the sample: .*at most 1000"):
        bring(Told().fit(rows, [1.0, 2.0, 3.0]), rows)


def test_golden_rows_that_the_stored_artifact_does_not_give_are_refused(
    bring: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = LinearRegression().fit(SIZES, PRICES + 1)
    monkeypatch.setattr("ml_models.golden.load_estimator", lambda artifact: other)

    with pytest.raises(CommandError, match=r"Golden row 1: the artifact gives .* differ by 1"):
        bring(LinearRegression().fit(SIZES, PRICES), SIZES)

    assert not ModelVersion.objects.exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--slug", "no slug"], "slug: "),
        (["--title", "x" * 101], "title: "),
        (["--price", "0"], "at least 1"),
        (["random-forest"], "takes --artifact, --sample, --slug and --title together"),
    ],
)
def test_words_that_cannot_stand_are_refused(bring: Any, more: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        bring(LinearRegression().fit(SIZES, PRICES), SIZES, *more)


def test_files_that_are_not_there_or_of_another_kind_are_refused(tmp_path: Path) -> None:
    sample, model = tmp_path / "sample.csv", tmp_path / "model.joblib"
    SIZES.to_csv(sample, index=False)
    joblib.dump(LinearRegression().fit(SIZES, PRICES), model)

    for files, said in (
        ((tmp_path / "none.joblib", sample), "artifact cannot be read"),
        ((tmp_path / "model.onnx", sample), r"\.joblib or \.skops"),
        ((model, tmp_path / "none.csv"), "sample cannot be read"),
        ((model, tmp_path / "sample.xlsx"), r"\.csv or \.parquet"),
    ):
        with pytest.raises(CommandError, match=said):
            publish(*files)


def test_parquet_without_pyarrow_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(path: Path) -> pd.DataFrame:
        raise ImportError("Unable to find a usable engine")

    monkeypatch.setitem(samples.READERS, ".parquet", absent)
    joblib.dump(LinearRegression().fit(SIZES, PRICES), tmp_path / "model.joblib")

    with pytest.raises(CommandError, match="pip install pyarrow"):
        publish(tmp_path / "model.joblib", tmp_path / "sample.parquet")


def test_a_sample_is_read_from_parquet_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(samples.READERS, ".parquet", lambda path: SIZES)
    joblib.dump(LinearRegression().fit(SIZES, PRICES), tmp_path / "model.joblib")

    version = publish(tmp_path / "model.joblib", tmp_path / "sample.parquet")

    assert list(version.input_schema["properties"]) == list(SIZES)


def test_the_artifact_goes_to_the_remote_where_workers_look(
    bring: Any, object_store: ObjectStore
) -> None:
    version = bring(LinearRegression().fit(SIZES, PRICES), SIZES)
    artifacts.stored_path(version.artifact_md5).unlink()

    inference.unload()

    assert f"/models/{artifacts.address(version.artifact_md5)}" in object_store.objects
    assert answers(version, SIZES) == pytest.approx(PRICES, abs=10)


def test_a_remote_that_is_away_refuses_the_publication(
    bring: Any, object_store: ObjectStore, settings: Settings
) -> None:
    settings.MODEL_REMOTE_ENDPOINT_URL = "http://127.0.0.1:9"

    with pytest.raises(CommandError, match="The remote took no"):
        bring(LinearRegression().fit(SIZES, PRICES), SIZES)

    assert not ModelVersion.objects.exists()


def test_the_command_says_that_joblib_must_be_trusted() -> None:
    command = load_command_class("ml_models", "publish_model")

    said = command.create_parser("manage.py", "publish_model").format_help()

    assert ".joblib that you trust, or .skops" in said
