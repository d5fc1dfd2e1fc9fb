"""Only the transactions that hand work out end before the disk has them; what follows waits."""

from collections.abc import Callable

import pytest
from django.db import connection

from accounts.models import User
from ml_models.models import ModelVersion
from mlservice.lib.ids import new_id
from predictions.dispatch import mark_group, take_group
from predictions.lanes import INTERACTIVE
from predictions.models import Prediction
from tests.conftest import make_prediction


def mark() -> None:
    assert mark_group(new_id(), max_rows=1).ids


def take() -> None:
    assert take_group(INTERACTIVE, group_id=new_id(), claimed_by="worker@host/1")


def waits_for_the_disk() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW synchronous_commit")
        [(setting,)] = cursor.fetchall()
    return str(setting)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("hand_out", [mark, take])
def test_whatever_follows_waits_for_the_disk(
    alice: User, published_version: ModelVersion, hand_out: Callable[[], None]
) -> None:
    make_prediction(alice)
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = on")
    try:
        # Sent whole at first, then prepared.
        for _ in range(8):
            Prediction.objects.update(status="starting", published_at=None, group_id=None)
            hand_out()
            assert waits_for_the_disk() == "on"
    finally:
        connection.close()
