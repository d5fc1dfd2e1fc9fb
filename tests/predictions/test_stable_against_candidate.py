"""Goal: the operator sees how a candidate does beside the stable version, at a constant cost."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from ml_models.models import MLModel, ModelVersion
from ml_models.pointers import set_candidate
from ml_models.releases import read_release
from ml_models.services import publish_version
from mlservice.lib.ids import first_id_at, new_id
from predictions.comparison import Comparison, Measure, compare
from predictions.models import Prediction
from predictions.services import Outcome, claim, settle
from predictions.submitting import prepare_submission, submit_prediction

PageOf = Callable[[User], Client]
SLUG = "linear-regression"


@pytest.fixture
def candidate(published_version: ModelVersion) -> ModelVersion:
    version, _ = publish_version(release=read_release(SLUG), price=7)
    set_candidate(version=version, share=10)
    return version


def finish(user: User, version: ModelVersion, **fields: Any) -> Prediction:
    """Submit a row to a version and end it as said: by default one value of 100 after 10 ms."""
    submission = prepare_submission(model=SLUG, version=version.number, input=version.example)
    made = submit_prediction(user_id=user.pk, submission=submission, source="api")
    claim([made.pk])
    ending: dict[str, Any] = {
        "status": "succeeded",
        "output": output(100.0),
        "predict_seconds": 0.01,
    } | fields
    settle([Outcome(made.pk, 1, cost=int(ending["status"] == "succeeded"), **ending)])
    return made


def output(value: object) -> str:
    shown = f'"{value}"' if isinstance(value, str) else value
    return f'[{{"index": 0, "status": "succeeded", "prediction": {shown}}}]'


def compared(days: int = 7) -> Comparison:
    return compare(model=MLModel.objects.select_related("stable", "candidate").get(), days=days)


def measured(title: str) -> Measure:
    return next(one for one in compared().measures if str(one.title).startswith(title))


def test_outcomes_and_error_codes_of_both_are_counted(
    alice: User, candidate: ModelVersion, published_version: ModelVersion
) -> None:
    failed = {"status": "failed", "output": None, "error": "so"}
    for _ in range(3):
        finish(alice, published_version)
    finish(alice, published_version, status="canceled", output=None)
    finish(alice, candidate)
    finish(alice, candidate, error_code="timeout", **failed)

    assert (measured("Predictions").stable, measured("Predictions").candidate) == (4, 2)
    rate = measured("Succeeded")
    assert (rate.stable, rate.candidate, rate.difference) == (100, 50, -50)
    assert measured("Canceled").stable == 1
    assert compared().errors == [("timeout", 0, 1)]


def test_latencies_and_values_of_both_are_compared(
    alice: User, candidate: ModelVersion, published_version: ModelVersion
) -> None:
    for seconds, value in ((0.01, 10.0), (0.02, 20.0), (0.03, 60.0)):
        finish(alice, published_version, predict_seconds=seconds, output=output(value))
    slow = finish(alice, candidate, predict_seconds=0.05, output=output(15.0))
    done = Prediction.objects.filter(pk=slow.pk)
    done.update(completed_at=F("created_at") + timedelta(milliseconds=250))

    assert measured("Predicting, median").difference == pytest.approx(30)
    assert measured("Predicting, 95th").stable == pytest.approx(29)
    assert measured("From accepted to done, 95th").candidate == pytest.approx(250)
    mean, median = measured("Predicted value, mean"), measured("Predicted value, median")
    assert (mean.stable, mean.candidate) == (30, 15)
    assert (median.stable, median.candidate) == (20, 15)


@pytest.mark.parametrize(
    "told",
    [
        output("a label"),
        '[{"index": 0, "status": "invalid", "errors": [{"field": "\\u0000"}]}]',
        '[{"index": 0, "status": "succeeded", "prediction": true}]',
    ],
)
def test_what_is_no_number_has_no_mean(alice: User, candidate: ModelVersion, told: str) -> None:
    finish(alice, candidate, output=told)

    mean = measured("Predicted value, mean")
    assert (mean.candidate, mean.difference) == (None, None)


def test_only_the_days_asked_for_are_counted(
    alice: User, candidate: ModelVersion, published_version: ModelVersion
) -> None:
    old, _ = finish(alice, published_version), finish(alice, published_version)
    ended = Prediction.objects.filter(pk=old.pk)
    ended.update(created_at=timezone.now() - timedelta(days=8))

    assert [compared(days).measures[0].stable for days in (7, 30)] == [1, 2]


def test_an_id_made_at_a_moment_is_in_the_range_that_begins_there() -> None:
    before, made, after = first_id_at(timezone.now()), new_id(), timezone.now()

    assert before <= made < first_id_at(after + timedelta(milliseconds=1))


def test_the_page_costs_the_same_however_much_there_is(
    staff: User, alice: User, page: PageOf, candidate: ModelVersion
) -> None:
    address = f"/admin/predictions/prediction/comparison/{candidate.model_id}"
    client = page(staff)
    client.get(address)
    counts = []
    for _ in range(2):
        for _ in range(5):
            finish(alice, candidate)
        with CaptureQueriesContext(connection) as queries:
            shown = client.get(address)
        counts.append(len(queries))

    assert counts[0] == counts[1]
    assert shown.status_code == 200
    assert "candidate, version 2" in " ".join(shown.content.decode().split())


def test_a_model_without_a_candidate_is_shown_alone(
    staff: User, alice: User, page: PageOf, published_version: ModelVersion
) -> None:
    finish(alice, published_version)

    shown = page(staff).get(
        f"/admin/predictions/prediction/comparison/{published_version.model_id}?days=nonsense"
    )

    measures = shown.context["comparison"].measures
    assert (measures[0].stable, measures[0].candidate) == (1, None)
    assert shown.context["days"] == 7


def test_only_staff_who_may_see_predictions_see_it(
    alice: User, page: PageOf, published_version: ModelVersion
) -> None:
    address = f"/admin/predictions/prediction/comparison/{published_version.model_id}"

    turned_away = page(alice).get(address)
    User.objects.filter(pk=alice.pk).update(is_staff=True)
    refused = page(alice).get(address)

    assert turned_away.status_code == 302
    assert refused.status_code == 403


def test_the_models_page_in_the_admin_leads_to_it(
    staff: User, page: PageOf, published_version: ModelVersion
) -> None:
    shown = page(staff).get(f"/admin/ml_models/mlmodel/{published_version.model_id}/change/")

    assert f"/comparison/{published_version.model_id}" in shown.content.decode()
