"""A child that is through with a group goes on with what waits in its lane."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.core.management import call_command
from django.db import ProgrammingError
from django.db.models.functions import Now
from structlog.contextvars import bound_contextvars, merge_contextvars
from structlog.testing import capture_logs

from accounts.models import User
from ml_models import inference
from ml_models.models import ModelVersion
from mlservice.lib.ids import new_id
from mlservice.lib.logging import FEW
from predictions import counting, runner, staying
from predictions.children import claimant, give_back
from predictions.dispatch import mark_group, take_group
from predictions.lanes import BULK, INTERACTIVE, Lane, traffic
from predictions.models import Prediction
from predictions.services import Outcome, cancel_prediction, claim, settle
from predictions.staying import Stay
from predictions.tasks import run_predictions
from tests.conftest import make_prediction

CHILD = claimant("worker@host", 10)
WRITTEN = ("attempt", "group_id", "claimed_by", "status")

pytestmark = pytest.mark.usefixtures("published_version")


@pytest.fixture(autouse=True)
def time_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a child go on for long, and hear nothing."""
    monkeypatch.setattr(staying, "GO_ON_SECONDS", 60.0)
    monkeypatch.setattr(staying, "at_most", lambda: 60.0)
    monkeypatch.setattr(Stay, "deaf_until", float("inf"))


def marked(*predictions: Prediction) -> UUID:
    """Publish these as a group, and no others."""
    group_id, ids = new_id(), [one.pk for one in predictions]
    Prediction.objects.filter(pk__in=ids).update(group_id=group_id, published_at=Now())
    return group_id


def run_on(*predictions: Prediction, lane: Lane | None = INTERACTIVE) -> int:
    ids, group_id = [one.pk for one in predictions], marked(*predictions)
    return runner.run(ids, group_id=group_id, claimed_by=CHILD, lane=lane)


def statuses(*predictions: Prediction) -> list[str]:
    stored = Prediction.objects.in_bulk([one.pk for one in predictions])
    return [stored[one.pk].status for one in predictions]


def large(user: User, version: ModelVersion, settings: Any) -> Prediction:
    settings.PREDICTION_BULK_ROWS = 1
    return make_prediction(user, input=[version.example] * 2)


def taken(lane: Lane = INTERACTIVE) -> list[UUID]:
    return [one.id for one in take_group(lane, group_id=new_id(), claimed_by=CHILD)]


def test_it_is_written_and_given_as_if_it_had_been_marked_and_claimed(alice: User) -> None:
    published, along = make_prediction(alice), make_prediction(alice, request_id="asked-for-it")
    group_id = marked(published)

    [by_message] = claim([published.pk], group_id=group_id, claimed_by=CHILD)
    [by_taking] = take_group(INTERACTIVE, group_id=group_id, claimed_by=CHILD)

    assert by_taking == replace(by_message, id=along.pk, request_id="asked-for-it")
    [one, other] = Prediction.objects.values(*WRITTEN)
    assert one == other
    for moment in ("published_at", "started_at", "lease_expires_at"):
        [first, second] = Prediction.objects.values_list(moment, flat=True)
        assert abs(first - second) < timedelta(seconds=30)


def test_users_take_turns(alice: User, bob: User, settings: Any) -> None:
    settings.PREDICTION_GROUP_MAX_ROWS = 2
    hers = [make_prediction(alice) for _ in range(3)]
    his = make_prediction(bob)

    assert sorted(taken()) == sorted([hers[0].pk, his.pk])
    assert sorted(taken()) == sorted([hers[1].pk, hers[2].pk])
    assert taken() == []


def test_what_was_tried_before_goes_alone(alice: User) -> None:
    first, tried = make_prediction(alice), make_prediction(alice)
    Prediction.objects.filter(pk=tried.pk).update(attempt=1)

    assert (taken(), taken()) == ([tried.pk], [first.pk])


def test_each_lane_is_taken_from_by_itself(
    alice: User, published_version: ModelVersion, settings: Any
) -> None:
    big, small = large(alice, published_version, settings), make_prediction(alice)

    assert (taken(BULK), taken(BULK)) == ([big.pk], [])
    assert taken() == [small.pk]


def test_what_is_published_canceled_or_overdue_is_left(alice: User) -> None:
    published, canceled = make_prediction(alice), make_prediction(alice)
    overdue = make_prediction(alice, cancel_after_seconds=60)
    marked(published)
    cancel_prediction(prediction=canceled)
    Prediction.objects.filter(pk=overdue.pk).update(deadline=Now() - timedelta(seconds=1))

    assert taken() == []
    assert statuses(published, canceled, overdue) == ["starting", "canceled", "starting"]


def test_what_waits_is_predicted_and_paid_without_a_message(alice: User, bob: User) -> None:
    first = make_prediction(alice)
    others = [make_prediction(user) for user in (alice, bob, bob)]

    counted = counting.taken_along.labels(INTERACTIVE.queue)
    before = counted._value.get()

    settled = run_on(first)

    assert (settled, counted._value.get() - before) == (4, 3)
    assert statuses(first, *others) == ["succeeded"] * 4
    assert set(Prediction.objects.values_list("claimed_by", "attempt", "cost")) == {(CHILD, 1, 1)}
    call_command("audit_ledger")


def test_who_comes_meanwhile_is_taken_along_too(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, late = make_prediction(alice), list[Prediction]()
    predict = inference.predict

    def predict_while_others_come(**asked: Any) -> list[inference.Predicted]:
        if len(late) < 3:
            late.append(make_prediction(alice))
        return predict(**asked)

    monkeypatch.setattr(inference, "predict", predict_while_others_come)

    assert run_on(first) == 4
    assert statuses(first, *late) == ["succeeded"] * 4


@pytest.mark.parametrize("lane", [None, BULK])
def test_without_a_lane_or_in_another_one_nothing_is_taken(alice: User, lane: Lane | None) -> None:
    first, other = make_prediction(alice), make_prediction(alice)

    assert run_on(first, lane=lane) == 1
    assert statuses(first, other) == ["succeeded", "starting"]


def test_when_its_time_is_over_the_broker_has_the_next(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staying, "at_most", lambda: -1.0)
    first, other = make_prediction(alice), make_prediction(alice)

    assert run_on(first) == 1
    assert statuses(first, other) == ["succeeded", "starting"]


def test_a_message_that_brings_nothing_leads_to_nothing(alice: User) -> None:
    done, other = make_prediction(alice), make_prediction(alice)
    runner.run([done.pk], group_id=(group_id := marked(done)))

    again = runner.run([done.pk], group_id=group_id, claimed_by=CHILD, lane=INTERACTIVE)

    assert (again, statuses(other)) == (0, ["starting"])


@pytest.mark.parametrize(
    ("size", "is_large", "is_before"), [(1, False, False), (2, False, True), (1, True, True)]
)
def test_bulk_and_company_are_taken_before_what_came_first_is_settled(
    alice: User,
    published_version: ModelVersion,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    size: int,
    is_large: bool,
    is_before: bool,
) -> None:
    """So the relay never finds the child idle; and who is alone does not wait for others."""
    lane = BULK if is_large else INTERACTIVE
    first, next_one = (
        [large(alice, published_version, settings) if is_large else make_prediction(alice)]
        for _ in range(2)
    )
    first += [make_prediction(alice) for _ in range(size - 1)]
    seen: list[tuple[int, int, list[str]]] = []

    def settle_watched(outcomes: Iterable[Outcome]) -> int:
        before = statuses(*next_one)
        settled = settle(outcomes)
        seen.append((traffic()[lane].begun_groups, settled, before))
        return settled

    monkeypatch.setattr(runner, "settle", settle_watched)

    assert run_on(*first, lane=lane) == size + 1
    busy, waiting = (1, ["processing"]), (0, ["starting"])
    groups, state = busy if is_before else waiting
    assert seen == [(groups, size, state), (0, 1, ["processing"])]


def test_its_lines_do_not_name_who_asked_for_the_group_before(alice: User) -> None:
    first = make_prediction(alice, request_id="asked-first")
    along = [make_prediction(alice, request_id="asked-later") for _ in range(FEW + 1)]

    with bound_contextvars(), capture_logs(processors=[merge_contextvars]) as lines:
        run_on(first)

    told = [(one["event"], one["count"], one.get("request_ids")) for one in lines]
    assert told == [
        ("predictions_claimed", 1, ["asked-first"]),
        ("predictions_settled", 1, ["asked-first"]),
        ("predictions_claimed", len(along), None),
        ("predictions_settled", len(along), None),
    ]


def test_what_is_overdue_does_not_stand_before_what_is_not(alice: User) -> None:
    overdue, waits = make_prediction(alice, cancel_after_seconds=60), make_prediction(alice)
    past = Now() - timedelta(seconds=1)
    Prediction.objects.filter(pk=overdue.pk).update(deadline=past, attempt=1)

    assert taken() == [waits.pk]


@pytest.mark.parametrize("is_large", [False, True])
def test_beside_what_was_tried_before_nothing_is_taken_along(
    alice: User,
    published_version: ModelVersion,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    is_large: bool,
) -> None:
    """Of small ones the next is taken once that is settled; bulk is left to the relay."""
    tried, other = (
        large(alice, published_version, settings) if is_large else make_prediction(alice)
        for _ in range(2)
    )
    Prediction.objects.filter(pk=tried.pk).update(attempt=1)
    before: list[list[str]] = []

    def settle_watched(outcomes: Iterable[Outcome]) -> int:
        before.append(statuses(other))
        return settle(outcomes)

    monkeypatch.setattr(runner, "settle", settle_watched)

    settled = run_on(tried, lane=BULK if is_large else INTERACTIVE)

    assert (settled, before[0]) == (1 if is_large else 2, ["starting"])
    assert statuses(tried, other) == ["succeeded", "starting" if is_large else "succeeded"]


def test_what_was_taken_along_is_given_back_when_the_settlement_before_it_fails(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, along = [make_prediction(alice) for _ in range(2)], make_prediction(alice)

    def fail(outcomes: Iterable[Outcome]) -> int:
        raise SoftTimeLimitExceeded

    monkeypatch.setattr(runner, "settle", fail)

    with pytest.raises(SoftTimeLimitExceeded):
        run_on(*first)

    assert statuses(*first, along) == ["processing", "processing", "starting"]
    assert mark_group(new_id(), max_rows=100).ids == [along.pk]


def test_a_look_that_fails_costs_nothing_that_is_done(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = [make_prediction(alice) for _ in range(2)]

    def fail(*how: Any, **more: Any) -> list[Any]:
        raise ProgrammingError("cached plan must not change result type")

    monkeypatch.setattr(staying, "take_group", fail)

    assert run_on(*first) == 2
    assert statuses(*first) == ["succeeded", "succeeded"]


def test_a_lost_child_gives_back_what_it_took_along(alice: User) -> None:
    first, along = make_prediction(alice), make_prediction(alice)
    group_id = marked(first)
    claim([first.pk], group_id=group_id, claimed_by=CHILD)
    take_group(INTERACTIVE, group_id=group_id, claimed_by=CHILD)

    give_back(group_id, CHILD)

    assert statuses(first, along) == ["starting", "starting"]
    assert len(mark_group(new_id(), max_rows=100)[0]) == 1


@pytest.mark.parametrize(
    ("queue", "lane"), [("predictions", INTERACTIVE), ("bulk", BULK), ("duties", None)]
)
def test_a_task_goes_on_in_the_lane_that_its_message_came_by(
    monkeypatch: pytest.MonkeyPatch, queue: str, lane: Lane | None
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(runner, "run", lambda ids, **how: told.append(how["lane"]))

    run_predictions.apply(([str(new_id())],), task_id=str(new_id()), routing_key=queue)

    assert told == [lane]
