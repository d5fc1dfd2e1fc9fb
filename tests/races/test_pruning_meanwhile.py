"""Data are removed by age while work ends beside it: no end is lost, none is emptied twice."""

import math

import pytest

from ml_models.models import ModelVersion
from predictions import removal
from predictions.models import Prediction, Pruning
from predictions.removal import Outdated, remove_rows
from predictions.runner import run
from predictions.services import cancel_prediction
from tests.conftest import make_prediction, make_user
from tests.races.threads import at_once, results

COUNT = 40
PRUNERS = 4


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "ROWS_A_SLICE", 3)


def prune_all() -> int:
    """Remove the data of whatever has finished, however lately."""
    removed, is_whole = Outdated.after(days=-1).remove(ends_at=math.inf)
    assert is_whole
    return removed


def test_work_that_ends_meanwhile_is_charged_and_keeps_its_result_or_loses_it_whole(
    published_version: ModelVersion,
) -> None:
    alice = make_user("alice", credits=COUNT)
    ids = [make_prediction(alice).pk for _ in range(COUNT)]

    def work() -> int:
        return sum(run(ids[at : at + 4]) for at in range(0, COUNT, 4))

    def prune_on() -> int:
        return sum(prune_all() for _ in range(15))

    settled, removed = results(at_once([work, prune_on]))

    ended = Prediction.objects.filter(status="succeeded", cost=published_version.price)
    whole = ended.filter(data_removed=False).exclude(input="null").exclude(output=None)
    emptied = ended.filter(data_removed=True, input="null", output=None)
    assert (settled, ended.count()) == (COUNT, COUNT)
    assert (whole.count(), emptied.count()) == (COUNT - removed, removed)
    assert prune_all() == COUNT - removed


def test_several_that_prune_remove_each_once_and_never_wait_for_each_other(
    published_version: ModelVersion,
) -> None:
    alice = make_user("alice", credits=COUNT)
    for _ in range(COUNT):
        cancel_prediction(prediction=make_prediction(alice))

    def remove_what_alice_sent() -> int:
        remove_rows(user_id=alice.pk, ends_at=math.inf)
        return 0

    removed = results(at_once([prune_all] * PRUNERS + [remove_what_alice_sent]))
    removed.append(prune_all())

    assert sum(removed) <= COUNT
    assert not Prediction.objects.filter(data_removed=False).exists()
    assert Pruning.objects.get().removed == sum(removed)
