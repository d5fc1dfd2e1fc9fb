"""Each ending is counted once for its version and told with its ids, whoever brought it about."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import F
from prometheus_client import generate_latest
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from accounts.models import User
from ml_models.models import ModelVersion
from ml_models.services import break_version
from mlservice.lib.ids import new_id
from mlservice.lib.logging import FEW
from mlservice.lib.metrics import exposing
from mlservice.lib.metrics.counting import Counts
from predictions import counting, reaping, runner
from predictions.children import claimant, end_overrun, give_back
from predictions.dispatch import mark_group
from predictions.models import Prediction
from predictions.relay import Relay
from predictions.services import Outcome, cancel_prediction, claim, settle
from tests.conftest import make_prediction
from tests.ml_models.builders import make_version

STATUSES = ("succeeded", "failed", "canceled")
CHILD = claimant("worker@host", 10)


def counted(slug: str = "linear-regression") -> dict[str, float | None]:
    """Read what this process shows of a model's first version; None where it shows nothing."""
    shown = generate_latest(exposing.registry_of(Counts())).decode().splitlines()
    values = dict(line.rsplit(" ", 1) for line in shown if not line.startswith("#"))
    name = 'mlservice_model_predictions_total{{model="{}",status="{}",version="1"}}'
    found = {status: values.get(name.format(slug, status)) for status in STATUSES}
    return {status: None if value is None else float(value) for status, value in found.items()}


@pytest.fixture
def gained(published_version: ModelVersion) -> Callable[[], dict[str, float]]:
    """Say by how much each count of the version has risen in this test, where it has."""
    # Another test's version may have had its id.
    counting._ended_of.cache_clear()
    counting.expect([published_version.pk])
    before = counted()

    def since() -> dict[str, float]:
        rises = {status: (now or 0) - (before[status] or 0) for status, now in counted().items()}
        return {status: rise for status, rise in rises.items() if rise}

    return since


Gained = Callable[[], dict[str, float]]


def claimed_alone(user: User) -> tuple[Prediction, Any]:
    """Give a prediction in a child's hands, and its group."""
    prediction, group_id = make_prediction(user, request_id="asked-for-it"), new_id()
    mark_group(group_id, max_rows=10)
    assert len(claim([prediction.pk], group_id=group_id, claimed_by=CHILD)) == 1
    return prediction, group_id


def lose_the_last_worker(prediction: Prediction) -> None:
    claim([prediction.pk])
    past = F("created_at")
    Prediction.objects.filter(pk=prediction.pk).update(attempt=3, lease_expires_at=past)


def settled_lines(do: Callable[[], object]) -> list[Any]:
    with capture_logs(processors=[merge_contextvars]) as lines:
        do()
    return [line for line in lines if line["event"] == "predictions_settled"]


def test_what_a_worker_predicts_is_counted_for_its_version(alice: User, gained: Gained) -> None:
    ours = [make_prediction(alice) for _ in range(3)]

    runner.run([prediction.pk for prediction in ours])

    assert gained() == {"succeeded": 3}


def test_what_ran_over_its_time_is_counted_as_failed(alice: User, gained: Gained) -> None:
    _, group_id = claimed_alone(alice)

    end_overrun(group_id, CHILD)

    assert gained() == {"failed": 1}


def test_what_lost_every_worker_is_counted_as_failed(alice: User, gained: Gained) -> None:
    lose_the_last_worker(make_prediction(alice))

    reaping.fail_exhausted()

    assert gained() == {"failed": 1}


def test_what_waited_for_a_version_that_broke_is_counted_as_failed(
    alice: User, gained: Gained, published_version: ModelVersion
) -> None:
    for _ in range(2):
        make_prediction(alice)
    break_version(version_id=published_version.pk, reason="its bytes are gone")

    reaping.fail_for_broken_versions()

    assert gained() == {"failed": 2}


def test_who_lost_the_lease_counts_nothing(alice: User, gained: Gained) -> None:
    prediction, _ = claimed_alone(alice)
    Prediction.objects.filter(pk=prediction.pk).update(attempt=2)

    late = settle([Outcome(prediction.pk, 1, "succeeded", cost=1, output="[]")])
    settle([Outcome(prediction.pk, 2, "failed", error_code="x")])

    assert (late, gained()) == (0, {"failed": 1})


def test_what_was_to_be_canceled_is_counted_as_canceled(alice: User, gained: Gained) -> None:
    running, _ = claimed_alone(alice)
    cancel_prediction(prediction=Prediction.objects.get(pk=running.pk))
    settle([Outcome(running.pk, 1, "succeeded", cost=1, output="[]")])

    cancel_prediction(prediction=make_prediction(alice))

    assert gained() == {"canceled": 2}


def test_the_relay_shows_a_version_before_anything_of_it_has_ended(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a count that begins with 500, Prometheus sees no rise."""
    make_version(slug="never-asked")
    relay = Relay()
    monkeypatch.setattr("predictions.relay.dead_letters.collect", lambda publisher: None)

    before = counted("never-asked")
    relay.reap()

    assert before == dict.fromkeys(STATUSES)
    assert counted("never-asked") == dict.fromkeys(STATUSES, 0)


def test_an_ending_outside_a_group_is_told_with_its_ids(alice: User, gained: Gained) -> None:
    prediction = make_prediction(alice, request_id="asked-for-it")
    lose_the_last_worker(prediction)

    [line] = settled_lines(reaping.fail_exhausted)

    assert (line["count"], line["ended_as"]) == (1, ["attempts_exhausted"])
    assert line["version_ids"] == [prediction.version_id]
    assert line["prediction_ids"] == [str(prediction.pk)]
    assert line["request_ids"] == ["asked-for-it"]


def test_a_cancellation_is_told_and_what_changed_nothing_is_not(
    alice: User, gained: Gained
) -> None:
    prediction = make_prediction(alice, request_id="asked-for-it")

    lines = settled_lines(lambda: cancel_prediction(prediction=prediction))
    again = settled_lines(lambda: cancel_prediction(prediction=prediction))

    assert [(line["ended_as"], line["request_ids"]) for line in lines] == [
        (["canceled"], ["asked-for-it"])
    ]
    assert again == []


def test_of_many_endings_a_line_names_none(alice: User, gained: Gained) -> None:
    ours = [make_prediction(alice, request_id="asked-for-it") for _ in range(FEW + 1)]

    [line] = settled_lines(lambda: runner.run([prediction.pk for prediction in ours]))

    assert line["count"] == FEW + 1
    assert line.keys().isdisjoint({"prediction_ids", "request_ids"})


def test_what_becomes_of_a_lost_or_overrun_childs_group_is_told_with_its_id(
    alice: User, gained: Gained
) -> None:
    _, overrun = claimed_alone(alice)
    [settled] = settled_lines(lambda: end_overrun(overrun, CHILD))
    _, lost = claimed_alone(alice)

    with capture_logs() as lines:
        give_back(lost, CHILD)

    assert (settled["group_id"], settled["request_ids"]) == (str(overrun), ["asked-for-it"])
    assert [(line["event"], line["group_id"]) for line in lines] == [("child_lost", str(lost))]
