"""Work that is delivered, finished or canceled by several at once ends once and is charged once."""

import random
from dataclasses import replace
from functools import partial
from uuid import UUID

import pytest

from billing.models import LedgerEntry
from billing.services import wallet_of
from ml_models.models import ModelVersion
from predictions.errors import AlreadyFinished
from predictions.models import Prediction
from predictions.runner import run
from predictions.services import Claim, Outcome, cancel_prediction, claim, settle
from tests.conftest import make_prediction, make_user
from tests.races.threads import at_once, results

WORKERS = 8


def done(one: Claim) -> Outcome:
    return Outcome(one.id, one.attempt, "succeeded", cost=one.price, output="[]")


def captures(ids: list[UUID]) -> int:
    references = [str(prediction_id) for prediction_id in ids]
    return LedgerEntry.objects.filter(kind="capture", reference_id__in=references).count()


def test_one_result_settled_by_many_is_captured_once(published_version: ModelVersion) -> None:
    alice = make_user("alice", credits=10)
    [mine] = claim([make_prediction(alice).pk])

    settled = results(at_once([lambda: settle([done(mine)])] * WORKERS))

    assert sorted(settled) == [0] * (WORKERS - 1) + [1]
    assert captures([mine.id]) == 1
    assert wallet_of(alice.pk).balance == 10 - published_version.price


def test_one_message_delivered_to_many_is_claimed_once(published_version: ModelVersion) -> None:
    alice = make_user("alice", credits=40)
    ids = [make_prediction(alice).pk for _ in range(40)]

    settled = results(at_once([lambda: run(ids)] * WORKERS))

    assert sum(settled) == len(ids)
    assert captures(ids) == len(ids)
    assert set(Prediction.objects.values_list("attempt", flat=True)) == {1}


def test_a_worker_that_lost_its_lease_cannot_settle_beside_its_successor(
    published_version: ModelVersion,
) -> None:
    alice = make_user("alice", credits=10)
    prediction = make_prediction(alice)
    [late] = claim([prediction.pk])
    Prediction.objects.filter(pk=prediction.pk).update(status="starting")
    [current] = claim([prediction.pk])

    settled = results(
        at_once(
            [
                lambda: settle([replace(done(late), output='["late"]')]),
                lambda: settle([replace(done(current), output='["current"]')]),
            ]
        )
    )

    assert settled == [0, 1]
    prediction.refresh_from_db()
    assert prediction.output == '["current"]'
    assert captures([prediction.pk]) == 1


def test_groups_that_overlap_in_any_order_do_not_deadlock(
    published_version: ModelVersion,
) -> None:
    people = [make_user(f"person{number}", credits=20) for number in range(5)]
    claims = claim([make_prediction(person).pk for person in people for _ in range(8)])
    outcomes = [done(one) for one in claims]
    shuffled = [random.sample(outcomes, len(outcomes)) for _ in range(WORKERS)]

    settled = results(at_once([partial(settle, mine) for mine in shuffled]))

    assert sum(settled) == len(claims)
    assert captures([one.id for one in claims]) == len(claims)


@pytest.mark.parametrize("attempt", range(5))
def test_a_cancel_that_meets_a_settlement_is_free_or_too_late(
    published_version: ModelVersion, attempt: int
) -> None:
    alice = make_user("alice", credits=10)
    prediction = make_prediction(alice)
    [mine] = claim([prediction.pk])
    view = Prediction.objects.get(pk=prediction.pk)

    canceled, settled = at_once(
        [lambda: cancel_prediction(prediction=view).status, lambda: str(settle([done(mine)]))]
    )

    assert settled == "1"
    prediction.refresh_from_db()
    spent = 10 - wallet_of(alice.pk).balance
    if isinstance(canceled, AlreadyFinished):
        assert (prediction.status, spent) == ("succeeded", published_version.price)
    else:
        assert (prediction.status, spent) == ("canceled", 0)


@pytest.mark.parametrize("attempt", range(5))
def test_a_cancel_that_meets_a_worker_ends_one_way(
    published_version: ModelVersion, attempt: int
) -> None:
    alice = make_user("alice", credits=10)
    prediction = make_prediction(alice)
    view = Prediction.objects.get(pk=prediction.pk)

    canceled, _ = at_once(
        [lambda: cancel_prediction(prediction=view).status, lambda: str(run([prediction.pk]))]
    )

    prediction.refresh_from_db()
    spent = 10 - wallet_of(alice.pk).balance
    if isinstance(canceled, AlreadyFinished):
        assert (prediction.status, spent) == ("succeeded", published_version.price)
    else:
        assert (prediction.status, spent) == ("canceled", 0)


def test_many_cancels_release_the_hold_once(published_version: ModelVersion) -> None:
    alice = make_user("alice", credits=10)
    prediction = make_prediction(alice)
    views = [Prediction.objects.get(pk=prediction.pk) for _ in range(WORKERS)]

    answers = at_once([partial(cancel_prediction, prediction=view) for view in views])

    assert {answer.status for answer in results(answers)} == {"canceled"}
    wallet = wallet_of(alice.pk)
    assert (wallet.balance, wallet.held) == (10, 0)
