"""Usage is added up while work ends beside it: each prediction is in it once, none is missed."""

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
from predictions.usage import add_up_usage
from tests.conftest import make_prediction, make_user
from tests.races.threads import at_once, results

COUNT = 40


@pytest.fixture(autouse=True)
def everything_is_old_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a quarter of an hour last no time at all."""
    monkeypatch.setattr(usage, "QUARTER", timedelta(microseconds=1))


def succeeded() -> int:
    return Usage.objects.aggregate(n=Sum("succeeded"))["n"] or 0


def test_each_that_ends_meanwhile_is_added_up_once(published_version: ModelVersion) -> None:
    alice = make_user("alice", credits=COUNT)
    ids = [make_prediction(alice).pk for _ in range(COUNT)]

    def work() -> int:
        return sum(run(ids[at : at + 2]) for at in range(0, COUNT, 2))

    def add_up_on() -> int:
        return sum(add_up_usage() for _ in range(20))

    settled, *_ = results(at_once([work, add_up_on, add_up_on]))
    add_up_usage()

    assert (settled, succeeded()) == (COUNT, COUNT)
    assert sum(row.succeeded for row in finished(user_id=alice.pk)) == COUNT


BY_THE_CLOCK_ALONE = "SELECT statement_timestamp() - make_interval(secs => %(quarter)s)"


@pytest.mark.parametrize(
    ("certain", "meanwhile", "later"),
    [
        pytest.param(usage.CERTAIN, 0, 2, id="it waits for who has begun"),
        pytest.param(BY_THE_CLOCK_ALONE, 1, 0, id="one is missed by who does not"),
    ],
)
def test_what_is_committed_late_is_waited_for(
    published_version: ModelVersion,
    monkeypatch: pytest.MonkeyPatch,
    certain: str,
    meanwhile: int,
    later: int,
) -> None:
    monkeypatch.setattr(usage, "CERTAIN", certain)
    late, early = (make_prediction(make_user(name, credits=1)) for name in ("alice", "bob"))
    is_ended, may_commit = Event(), Event()

    def end_and_commit_late() -> int:
        with transaction.atomic():
            run([late.pk])
            is_ended.set()
            assert may_commit.wait(20)
        return 0

    def add_up_meanwhile() -> int:
        assert is_ended.wait(20)
        try:
            run([early.pk])
            return add_up_usage()
        finally:
            may_commit.set()

    _, added = results(at_once([end_and_commit_late, add_up_meanwhile]))

    assert Prediction.objects.filter(status="succeeded").count() == 2
    assert (added, add_up_usage()) == (meanwhile, later)
