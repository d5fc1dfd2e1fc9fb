"""Usage is added up while work ends beside it: each prediction is in it once, none is missed."""

import math
from datetime import timedelta
from threading import Event

import pytest
from django.db import transaction
from django.db.models import Sum

from ml_models.models import ModelVersion
from predictions import usage
from predictions.last_days import finished
from predictions.models import Prediction, Usage
from predictions.runner import run
from predictions.services import cancel_prediction
from predictions.usage import add_up_usage
from tests.conftest import make_prediction, make_user
from tests.races.threads import at_once, results

COUNT = 40


@pytest.fixture(autouse=True)
def everything_is_old_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a quarter of an hour last no time at all."""
    monkeypatch.setattr(usage, "QUARTER", timedelta(microseconds=1))


def add_up() -> int:
    return add_up_usage(ends_at=math.inf)


def succeeded() -> int:
    return Usage.objects.aggregate(n=Sum("succeeded"))["n"] or 0


def test_each_that_ends_meanwhile_is_added_up_once(published_version: ModelVersion) -> None:
    alice = make_user("alice", credits=COUNT)
    ids = [make_prediction(alice).pk for _ in range(COUNT)]

    def work() -> int:
        return sum(run(ids[at : at + 2]) for at in range(0, COUNT, 2))

    def add_up_on() -> int:
        return sum(add_up() for _ in range(20))

    settled, *_ = results(at_once([work, add_up_on, add_up_on]))
    add_up()

    assert (settled, succeeded()) == (COUNT, COUNT)
    assert sum(row.succeeded for row in finished(user_id=alice.pk)) == COUNT


def test_what_is_committed_late_is_waited_for(published_version: ModelVersion) -> None:
    late, early = (make_prediction(make_user(name, credits=1)) for name in ("alice", "bob"))
    is_ended, may_commit = Event(), Event()

    def end_and_commit_late() -> int:
        with transaction.atomic():
            cancel_prediction(prediction=late)
            is_ended.set()
            assert may_commit.wait(20)
        return 0

    def add_up_meanwhile() -> int:
        assert is_ended.wait(20)
        try:
            run([early.pk])
            return add_up()
        finally:
            may_commit.set()

    _, added = results(at_once([end_and_commit_late, add_up_meanwhile]))

    assert Prediction.objects.exclude(completed_at=None).count() == 2
    assert added == 0
    assert add_up() == 2
