"""`Cancel-After`: what has not finished by its deadline ends canceled and free."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from rest_framework.test import APIClient

from accounts.models import User
from ml_models.models import ModelVersion
from predictions import runner
from predictions.api.cancel_after import cancel_after_seconds
from predictions.models import Prediction
from predictions.reaping import cancel_overdue, reap
from predictions.services import Outcome, claim, settle
from tests.conftest import make_prediction

Api = Callable[[User], APIClient]


def post(client: APIClient, version: ModelVersion, **headers: str) -> Any:
    body = {"model": version.model.slug, "input": version.example}
    return client.post("/api/v1/predictions", body, format="json", headers=headers)


def pass_deadline() -> None:
    Prediction.objects.update(deadline=F("created_at") - timedelta(seconds=1))


def only() -> Prediction:
    return Prediction.objects.select_related("hold").get()


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(None, None), ("30s", 30), ("5m", 300), ("1h30m", 5_400), ("1h1m1s", 3_661), (" 5s ", 5)],
)
def test_a_span_is_read(header: str | None, seconds: int | None) -> None:
    assert cancel_after_seconds(header) == seconds


@pytest.mark.parametrize(
    "header",
    ["", "30", "s", "4s", "0s", "-5s", "1.5m", "30s5m", "2d", "25h", "٣٠s", "9999999s", "30S"],
)
def test_a_bad_span_is_refused_and_nothing_is_stored(
    alice: User, published_version: ModelVersion, api: Api, header: str
) -> None:
    answer = post(
        api(alice), published_version, **{"Cancel-After": header.encode().decode("latin-1")}
    )

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert not Prediction.objects.exists()


def test_the_deadline_is_counted_from_acceptance_and_shown(
    alice: User, published_version: ModelVersion, api: Api
) -> None:
    shown = post(api(alice), published_version, **{"Cancel-After": "1m"}).json()

    stored = only()
    assert stored.deadline == stored.created_at + timedelta(minutes=1)
    again = api(alice).get(f"/api/v1/predictions/{stored.pk}").json()
    assert shown["deadline"] == again["deadline"] != None  # noqa: E711


def test_without_the_header_there_is_no_deadline(
    alice: User, published_version: ModelVersion, api: Api
) -> None:
    assert post(api(alice), published_version).json()["deadline"] is None


def test_the_header_is_no_part_of_what_a_key_stands_for(
    alice: User, published_version: ModelVersion, api: Api
) -> None:
    first = post(api(alice), published_version, **{"Idempotency-Key": "k", "Cancel-After": "1m"})

    second = post(api(alice), published_version, **{"Idempotency-Key": "k", "Cancel-After": "9m"})

    assert second.headers["Idempotent-Replayed"] == "true"
    assert second.json()["deadline"] == first.json()["deadline"]


def test_what_waits_past_its_deadline_is_canceled_and_released(
    alice: User, published_version: ModelVersion
) -> None:
    make_prediction(alice, cancel_after_seconds=5)
    assert cancel_overdue() == 0
    pass_deadline()

    assert cancel_overdue() == 1

    assert (only().status, only().hold.status) == ("canceled", "released")


def test_what_waits_past_its_deadline_is_not_begun(
    alice: User, published_version: ModelVersion
) -> None:
    late = make_prediction(alice, cancel_after_seconds=5)
    pass_deadline()

    assert claim([late.pk]) == []


def test_what_runs_past_its_deadline_ends_canceled_and_free(
    alice: User, published_version: ModelVersion
) -> None:
    slow = make_prediction(alice, cancel_after_seconds=5)
    (one,) = claim([slow.pk])
    pass_deadline()

    settle([Outcome(one.id, one.attempt, "succeeded", cost=1, output="[]")])

    assert (only().status, only().cost, only().hold.status) == ("canceled", 0, "released")


def test_what_lost_its_worker_past_its_deadline_ends_canceled(
    alice: User, published_version: ModelVersion
) -> None:
    lost = make_prediction(alice, cancel_after_seconds=5)
    claim([lost.pk])
    pass_deadline()
    Prediction.objects.update(lease_expires_at=F("created_at") - timedelta(seconds=1))

    reap()

    assert (only().status, only().error_code) == ("canceled", "")


def test_what_finishes_in_time_is_charged(alice: User, published_version: ModelVersion) -> None:
    quick = make_prediction(alice, cancel_after_seconds=60)

    runner.run([quick.pk])

    assert only().status == "succeeded"
