"""Goal: what is brought is kept in the safer format where that changes nothing."""

import os
from pathlib import Path
from typing import Any

import pytest
import skops.io
from django.core.management import CommandError, load_command_class
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from ml_models import artifacts
from ml_models.models import ModelVersion
from tests.ml_models.houses import (
    HOUSES,
    PRICES,
    SIZES,
    Told,
    answers,
    columnar,
    publish,
)
from tests.ml_models.test_loading_an_artifact import Canary

pytestmark = pytest.mark.django_db


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


def test_the_command_says_that_joblib_must_be_trusted() -> None:
    command = load_command_class("ml_models", "publish_model")

    said = command.create_parser("manage.py", "publish_model").format_help()

    assert ".joblib that you trust, or .skops" in said
