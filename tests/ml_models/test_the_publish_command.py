"""Goal: one command publishes what the pipeline built, and a second run does nothing."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from ml_models import releases
from ml_models.models import MLModel, ModelVersion
from tests.ml_models.builders import ensure_built

pytestmark = pytest.mark.django_db


def publish(*arguments: str) -> str:
    ensure_built()
    said = StringIO()
    call_command("publish_model", *arguments, stdout=said)
    return said.getvalue()


def test_both_shipped_models_are_published() -> None:
    publish("--all")

    prices = dict(MLModel.objects.values_list("slug", "stable__price"))
    assert prices == {"random-forest": 5, "linear-regression": 1}


def test_a_second_run_does_nothing_and_says_so() -> None:
    publish("--all")

    said = publish("--all")

    assert said.count("nothing to do") == 2
    assert ModelVersion.objects.count() == 2


def test_one_model_is_published_at_a_price() -> None:
    said = publish("linear-regression", "--price", "4")

    assert said == "linear-regression version 1 published, 4 a row\n"
    assert ModelVersion.objects.get().price == 4


def test_a_version_carries_what_the_pipeline_measured() -> None:
    publish("random-forest")

    version = ModelVersion.objects.get()
    assert list(version.metrics) == ["mae", "rmse", "r2", "training_rows", "test_rows"]
    assert version.metrics["r2"] > 0.97
    assert list(version.example) == list(version.input_schema["properties"])
    assert version.artifact_size < 20_000_000


@pytest.mark.parametrize("arguments", [[], ["random-forest", "--all"]])
def test_it_wants_one_model_or_all(arguments: list[str]) -> None:
    with pytest.raises(CommandError, match="Name one model"):
        publish(*arguments)


@pytest.mark.parametrize(("slug", "price"), [("unknown", "1"), ("linear-regression", "0")])
def test_what_cannot_be_published_is_refused_in_words(slug: str, price: str) -> None:
    with pytest.raises(CommandError):
        publish(slug, "--price", price)

    assert not ModelVersion.objects.exists()


def test_a_model_that_was_not_trained_is_refused_in_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(releases, "BUILD", tmp_path)

    with pytest.raises(CommandError, match="run the pipeline"):
        call_command("publish_model", "random-forest")
