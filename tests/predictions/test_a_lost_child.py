"""What a killed or overrun child had claimed is given back, or failed, without the lease."""

from uuid import UUID

import pytest

from accounts.models import User
from ml_models.models import ModelVersion
from mlservice.lib.ids import new_id
from predictions.children import claimant, end_overrun, give_back
from predictions.dispatch import mark_group
from predictions.models import Prediction
from predictions.services import Outcome, claim, settle
from tests.conftest import make_prediction

LOST = claimant("worker@host", 10)
OTHER = claimant("worker@host", 11)


def claimed_group(user: User, *, size: int, by: str = LOST) -> UUID:
    group_id = new_id()
    for _ in range(size):
        make_prediction(user)
    ids, *_ = mark_group(group_id, max_rows=100)
    assert len(claim(ids, group_id=group_id, claimed_by=by)) == size
    return group_id


def statuses() -> list[str]:
    return sorted(Prediction.objects.values_list("status", flat=True))


def test_the_claims_of_a_lost_child_wait_again_at_once(
    alice: User, published_version: ModelVersion
) -> None:
    group_id = claimed_group(alice, size=2)

    give_back(group_id, LOST)

    assert statuses() == ["starting", "starting"]
    assert {one.attempt for one in Prediction.objects.all()} == {1}
    assert len(mark_group(new_id(), max_rows=100)[0]) == 1


def test_the_claims_of_another_child_stay(alice: User, published_version: ModelVersion) -> None:
    group_id = claimed_group(alice, size=1, by=OTHER)

    give_back(group_id, LOST)

    assert statuses() == ["processing"]


def test_a_message_that_comes_again_does_not_bring_together_what_goes_alone(
    alice: User, published_version: ModelVersion
) -> None:
    group_id = claimed_group(alice, size=2)
    ids = list(Prediction.objects.values_list("pk", flat=True))
    give_back(group_id, LOST)

    assert claim(ids, group_id=group_id, claimed_by=OTHER) == []


def test_a_child_that_only_seemed_lost_cannot_settle(
    alice: User, published_version: ModelVersion
) -> None:
    group_id = claimed_group(alice, size=1)
    only = Prediction.objects.get()
    give_back(group_id, LOST)

    settled = settle([Outcome(only.pk, 1, "succeeded", cost=1, output="[]")])

    assert (settled, statuses()) == (0, ["starting"])


def test_the_last_attempt_is_left_to_the_reaper(
    alice: User, published_version: ModelVersion
) -> None:
    group_id = claimed_group(alice, size=1)
    Prediction.objects.update(attempt=3)

    give_back(group_id, LOST)

    assert statuses() == ["processing"]


def test_what_was_alone_with_its_time_fails_and_is_released(
    alice: User, published_version: ModelVersion
) -> None:
    group_id = claimed_group(alice, size=1)

    end_overrun(group_id, LOST)

    failed = Prediction.objects.select_related("hold__wallet").get()
    assert (failed.status, failed.error_code) == ("failed", "timeout")
    assert (failed.hold.status, failed.hold.wallet.held) == ("released", 0)


@pytest.mark.parametrize("size", [2, 3])
def test_of_several_that_overran_each_gets_a_time_of_its_own(
    alice: User, published_version: ModelVersion, size: int
) -> None:
    group_id = claimed_group(alice, size=size)

    end_overrun(group_id, LOST)

    assert statuses() == ["starting"] * size
