"""Submitting reserves the price and stores the rows, or refuses and leaves no trace."""

from typing import Any

import pytest

from accounts.models import User
from billing.errors import InsufficientCredits
from billing.models import Hold, Wallet
from ml_models.models import ModelVersion
from predictions.errors import AccountDisabled, InvalidFeatures, QueueFull, TooManyRows
from predictions.models import Prediction
from predictions.submitting import prepare_submission, submit_prediction
from tests.conftest import make_prediction, make_user


def test_a_prediction_holds_the_price_of_its_valid_rows(
    alice: User, published_version: ModelVersion
) -> None:
    row = published_version.example

    prediction = make_prediction(alice, input=[row, {"nonsense": 1}, row])

    assert (prediction.status, prediction.rows_total, prediction.rows_valid) == ("starting", 3, 2)
    assert prediction.hold.amount == 2 * published_version.price
    wallet = Wallet.objects.get(user=alice)
    assert (wallet.balance, wallet.held) == (1_000, 2)


def test_short_credits_are_refused_and_nothing_is_stored(
    db: None, forest_version: ModelVersion
) -> None:
    poor = make_user("poor", credits=4)

    with pytest.raises(InsufficientCredits) as refusal:
        make_prediction(poor, model="random-forest")

    assert refusal.value.extra == {"required": 5, "available": 4}
    assert (Prediction.objects.count(), Hold.objects.count()) == (0, 0)
    assert Wallet.objects.get(user=poor).held == 0


def test_no_valid_row_is_refused_with_every_error(
    alice: User, published_version: ModelVersion
) -> None:
    with pytest.raises(InvalidFeatures) as refusal:
        prepare_submission(model="linear-regression", input=[{"nonsense": 1}, 7])

    indexes = {error["index"] for error in refusal.value.extra["errors"]}
    assert indexes == {0, 1}
    assert Prediction.objects.count() == 0


def test_a_disabled_user_is_refused_inside_the_transaction(
    alice: User, published_version: ModelVersion
) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)

    with pytest.raises(AccountDisabled):
        make_prediction(alice)

    assert Wallet.objects.get(user=alice).held == 0


def test_a_full_backlog_is_refused(
    settings: Any, alice: User, published_version: ModelVersion
) -> None:
    settings.PREDICTION_BACKLOG_LIMIT = 0

    with pytest.raises(QueueFull):
        make_prediction(alice)

    assert Prediction.objects.count() == 0


def test_too_many_rows_are_refused(alice: User, published_version: ModelVersion) -> None:
    with pytest.raises(TooManyRows, match="1001 rows"):
        prepare_submission(model="linear-regression", input=[published_version.example] * 1_001)


def test_price_and_version_are_those_of_acceptance(
    alice: User, published_version: ModelVersion
) -> None:
    submission = prepare_submission(model="linear-regression", input=published_version.example)

    prediction = submit_prediction(user_id=alice.pk, submission=submission, source="api")

    assert (prediction.version_id, prediction.price) == (published_version.pk, 1)


def test_input_is_kept_as_it_was_sent(alice: User, published_version: ModelVersion) -> None:
    odd = {"nonsense": "a\u0000b\u202e"}

    prediction = make_prediction(alice, input=[published_version.example, odd])

    prediction.refresh_from_db()
    assert prediction.input_value == [published_version.example, odd]
