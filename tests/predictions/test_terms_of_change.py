"""What was accepted is finished and charged as accepted, whatever is changed meanwhile."""

import pytest
from django.db.models import ProtectedError

from accounts.models import User
from billing.services import wallet_of
from ml_models.models import ModelVersion
from predictions import runner
from predictions.models import Prediction
from tests.conftest import make_prediction


def test_a_new_price_is_not_for_what_was_accepted(
    alice: User, published_version: ModelVersion
) -> None:
    accepted = make_prediction(alice)
    ModelVersion.objects.filter(pk=published_version.pk).update(price=50)

    runner.run([accepted.pk])

    assert Prediction.objects.get(pk=accepted.pk).cost == 1
    assert wallet_of(alice.pk).balance == 999


def test_a_retired_version_finishes_what_was_accepted(
    alice: User, published_version: ModelVersion
) -> None:
    accepted = make_prediction(alice)
    ModelVersion.objects.filter(pk=published_version.pk).update(status="retired")

    runner.run([accepted.pk])

    assert Prediction.objects.get(pk=accepted.pk).status == "succeeded"
    assert wallet_of(alice.pk).balance == 999


def test_a_disabled_user_is_charged_for_what_was_accepted(
    alice: User, published_version: ModelVersion
) -> None:
    accepted = make_prediction(alice)
    User.objects.filter(pk=alice.pk).update(is_active=False)

    runner.run([accepted.pk])

    assert Prediction.objects.get(pk=accepted.pk).status == "succeeded"
    assert wallet_of(alice.pk).balance == 999


def test_nothing_that_money_touched_can_be_deleted(
    alice: User, published_version: ModelVersion
) -> None:
    accepted = make_prediction(alice)

    for row in (alice, alice.wallet, accepted.hold, published_version, published_version.model):
        with pytest.raises(ProtectedError):
            row.delete()
