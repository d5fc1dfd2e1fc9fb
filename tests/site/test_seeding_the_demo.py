"""The demo is seeded again and again, and whatever was published beside it changes nothing."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from accounts.models import User
from ml_models.models import ModelVersion
from mlservice.management.commands import seed_demo
from predictions.models import Prediction
from predictions.runner import run
from predictions.waiting import submit_and_wait
from tests.ml_models.builders import make_classifier_version


@pytest.fixture(autouse=True)
def a_demo(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.DEMO_MODE = True
    settings.DEMO_ADMIN_PASSWORD = settings.DEMO_CLIENT_PASSWORD = "a long and private phrase"

    def submit_and_run(*, seconds: float, **submission: Any) -> Prediction:
        prediction = submit_and_wait(seconds=0, **submission)
        run([prediction.pk])
        return Prediction.objects.with_version().get(pk=prediction.pk)

    monkeypatch.setattr(seed_demo, "submit_and_wait", submit_and_run)


def seeded() -> str:
    said = StringIO()
    call_command("seed_demo", stdout=said)
    return said.getvalue()


def test_the_shipped_models_have_a_finished_prediction_once(
    published_version: ModelVersion, forest_version: ModelVersion
) -> None:
    first, again = seeded(), seeded()

    assert first == again
    assert first.endswith("demo-client has 994 credits.\n")
    assert Prediction.objects.count() == 2


def test_a_model_that_somebody_brought_is_left_alone(published_version: ModelVersion) -> None:
    make_classifier_version()

    said = seeded()

    assert "Toy" not in said
    client = User.objects.get(username="demo-client")
    assert Prediction.objects.for_user(client).count() == 1
