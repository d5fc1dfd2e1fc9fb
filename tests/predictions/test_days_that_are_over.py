"""What finished on a day that is over is counted once by each process, today's each time."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from ml_models.models import ModelVersion
from predictions.last_days import finished
from predictions.models import Prediction
from tests.conftest import make_prediction

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def version(published_version: ModelVersion) -> ModelVersion:
    return published_version


def let_it_be(moment: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timezone, "now", lambda: moment)


def make_ended(user: User, at: datetime) -> None:
    ended = Prediction.objects.filter(pk=make_prediction(user).pk)
    ended.update(status="succeeded", cost=1, created_at=at, completed_at=at)


def counted(user: User) -> dict[int, int]:
    """Return how many succeeded, by the day of the month."""
    return {row.day.day: row.succeeded for row in finished(user_id=user.pk)}


def test_only_what_can_still_change_is_counted_again(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_it_be(NOON, monkeypatch)
    for ago in (0, 1, 1):
        make_ended(alice, NOON - timedelta(days=ago))
    with CaptureQueriesContext(connection) as first:
        assert counted(alice) == {19: 2, 20: 1}
    make_ended(alice, NOON)

    with CaptureQueriesContext(connection) as second:
        assert counted(alice) == {19: 2, 20: 2}

    assert (len(first), len(second)) == (2, 1)


@pytest.mark.parametrize(("minutes", "seen"), [(90, 2), (150, 1)])
def test_a_day_is_counted_anew_until_all_of_it_is_committed(
    alice: User, monkeypatch: pytest.MonkeyPatch, minutes: int, seen: int
) -> None:
    midnight = datetime(2026, 11, 20, tzinfo=UTC)
    let_it_be(midnight + timedelta(minutes=minutes), monkeypatch)
    make_ended(alice, midnight - timedelta(seconds=2))
    assert counted(alice) == {19: 1}

    make_ended(alice, midnight - timedelta(seconds=1))

    assert counted(alice) == {19: seen}


def test_a_day_that_has_ended_is_counted_for_good_the_next_day(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_it_be(NOON, monkeypatch)
    make_ended(alice, NOON)
    assert counted(alice) == {20: 1}
    make_ended(alice, NOON + timedelta(hours=3))
    let_it_be(NOON + timedelta(days=1), monkeypatch)

    assert counted(alice) == {20: 2}


def test_nobody_sees_what_another_has_or_where_another_lives(
    alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_it_be(NOON, monkeypatch)
    make_ended(alice, datetime(2026, 11, 19, 5, tzinfo=UTC))
    assert counted(alice) == {19: 1}

    assert counted(bob) == {}
    with timezone.override("Pacific/Honolulu"):
        assert counted(alice) == {18: 1}
    with timezone.override("Pacific/Kiritimati"):
        assert counted(alice) == {19: 1}
