"""Goal: what cannot become a version is refused in words that say why, and nothing is left."""

import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from django.core.management import CommandError
from pytest_django import Settings
from sklearn.cluster import KMeans
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ml_models.models import ModelVersion
from tests.ml_models.houses import IS_DEAR, PRICES, SIZES, Endless, Told, publish
from tests.ml_models.s3 import ObjectStore, object_store

__all__ = ["object_store"]

pytestmark = pytest.mark.django_db


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
    joblib.dump(LinearRegression().fit(SIZES, PRICES), tmp_path / "model.joblib")
    SIZES.to_parquet(tmp_path / "sample.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    with pytest.raises(CommandError, match="pip install pyarrow"):
        publish(tmp_path / "model.joblib", tmp_path / "sample.parquet")


def test_a_remote_that_is_away_refuses_the_publication(
    bring: Any, object_store: ObjectStore, settings: Settings
) -> None:
    settings.MODEL_REMOTE_ENDPOINT_URL = "http://127.0.0.1:9"

    with pytest.raises(CommandError, match="The remote took no"):
        bring(LinearRegression().fit(SIZES, PRICES), SIZES)

    assert not ModelVersion.objects.exists()
