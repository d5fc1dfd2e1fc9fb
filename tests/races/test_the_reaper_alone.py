"""The reaper works as its process does: with real commits and no transaction around it."""

import pytest
from django.db import connection

from accounts.models import User
from ml_models.models import ModelVersion
from mlservice.lib.ids import new_id
from predictions.dispatch import mark_group, unpublish_group
from predictions.lanes import INTERACTIVE
from predictions.models import Prediction
from predictions.reaping import (
    expire_old,
    fail_exhausted,
    return_expired_leases,
    unpublish_lost,
)
from predictions.services import claim
from tests.conftest import make_prediction

pytestmark = pytest.mark.django_db(transaction=True)


def make_older(column: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE predictions_prediction SET {column} = {column} - interval '2 days'")


def waiting() -> int:
    return Prediction.objects.filter(status="starting", published_at=None, group_id=None).count()


def test_an_expired_lease_returns(alice: User, published_version: ModelVersion) -> None:
    claim([make_prediction(alice).pk])
    make_older("lease_expires_at")

    assert return_expired_leases() == 1
    assert waiting() == 1


def test_a_refused_group_returns(alice: User, published_version: ModelVersion) -> None:
    make_prediction(alice)
    group_id = new_id()
    mark_group(group_id, max_rows=10)

    unpublish_group(group_id)

    assert waiting() == 1


def test_a_lost_group_returns(alice: User, published_version: ModelVersion) -> None:
    make_prediction(alice)
    mark_group(new_id(), max_rows=10)
    make_older("published_at")

    assert unpublish_lost(INTERACTIVE) == 1
    assert waiting() == 1


def test_what_is_past_saving_ends_with_its_hold_released(
    alice: User, published_version: ModelVersion
) -> None:
    exhausted, old = make_prediction(alice), make_prediction(alice)
    claim([exhausted.pk])
    Prediction.objects.filter(pk=exhausted.pk).update(attempt=3)
    make_older("lease_expires_at")
    make_older("created_at")

    ended = (fail_exhausted(), expire_old())

    assert ended == (1, 1)
    assert set(Prediction.objects.values_list("error_code", flat=True)) == {
        "attempts_exhausted",
        "expired",
    }
    alice.wallet.refresh_from_db()
    assert (alice.wallet.balance, alice.wallet.held) == (1_000, 0)
    assert old.pk != exhausted.pk
