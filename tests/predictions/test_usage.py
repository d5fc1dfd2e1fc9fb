"""Usage is added up by quarters of an hour: nothing is told twice, and nothing is left out."""

import random
from datetime import datetime, timedelta
from unittest.mock import Mock
from zoneinfo import ZoneInfo, available_timezones

import pytest
from django.db import connection
from django.utils import timezone
from structlog.testing import capture_logs

from accounts.models import User
from ml_models.models import ModelVersion
from predictions import last_days, tasks, usage
from predictions.last_days import FINISHED, Finished, _rows, finished
from predictions.models import Prediction, Usage, UsageMark
from predictions.usage import KEPT, QUARTER, STEP, add_up_usage
from tests.conftest import make_prediction, make_user

pytestmark = pytest.mark.django_db

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ONE_SUCCEEDED = {"spent": 1, "succeeded": 1, "failed": 0}


@pytest.fixture(autouse=True)
def version(published_version: ModelVersion) -> ModelVersion:
    return published_version


def make_ended(user: User, at: datetime, *, status: str = "succeeded", cost: int = 1) -> Prediction:
    made = make_prediction(user)
    Prediction.objects.filter(pk=made.pk).update(
        status=status, cost=cost, created_at=at, completed_at=at
    )
    return made


def told(user: User) -> list[Finished]:
    return sorted(finished(user_id=user.pk), key=lambda row: (row.day, row.version_id))


def succeeded(user: User) -> int:
    return sum(row.succeeded for row in finished(user_id=user.pk))


def mark() -> datetime:
    return UsageMark.objects.get().reached


def test_a_history_is_told_alike_whether_it_is_added_up_or_not(
    alice: User,
    bob: User,
    version: ModelVersion,
    forest_version: ModelVersion,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, chance = timezone.now(), random.Random(7)
    for user in (alice, bob):
        for number in range(60):
            made = make_ended(user, now - chance.random() * 29 * DAY)
            status = chance.choice(["succeeded", "failed", "canceled"])
            Prediction.objects.filter(pk=made.pk).update(
                status=status,
                cost=number if status == "succeeded" and number else int(status == "succeeded"),
                version=chance.choice([version, forest_version]),
            )
    today = now.date()
    days = [today - timedelta(days=ago) for ago in reversed(range(last_days.DAYS))]
    monkeypatch.setattr(last_days, "last_days", lambda: days)
    zones = ("UTC", "Pacific/Honolulu", "Pacific/Kiritimati", "Asia/Kathmandu", "Europe/Berlin")

    def everything() -> list[list[Finished]]:
        found = []
        for zone in zones:
            with timezone.override(zone):
                found += [told(alice), told(bob)]
        return found

    before = everything()
    assert add_up_usage() > 40

    assert everything() == before
    assert before[0] != before[2] != before[4]


def test_every_time_zone_begins_its_days_at_a_quarter_of_an_hour() -> None:
    now = timezone.now()
    months = [now.replace(month=month, day=1) for month in range(1, 13)]
    zones = [ZoneInfo(zone) for zone in available_timezones()]
    offsets = {month.astimezone(zone).utcoffset() for month in months for zone in zones}

    assert len(offsets) > 30
    assert not any(offset % QUARTER for offset in offsets if offset)


def test_what_is_added_up_is_read_no_more_and_what_comes_later_is(alice: User) -> None:
    now = timezone.now()
    old = make_ended(alice, now - DAY)
    add_up_usage()
    Prediction.objects.filter(pk=old.pk).update(cost=500)
    make_ended(alice, now)

    assert sum(row.spent for row in finished(user_id=alice.pk)) == 2


def test_what_failed_is_added_up_and_what_was_canceled_is_not(alice: User) -> None:
    for status in ("failed", "canceled"):
        make_ended(alice, timezone.now() - DAY, status=status, cost=0)

    assert add_up_usage() == 1

    [row] = Usage.objects.all()
    assert (row.spent, row.succeeded, row.failed) == (0, 0, 1)


def test_a_quarter_is_added_up_when_it_is_over_and_another_has_passed(alice: User) -> None:
    now = timezone.now()
    make_ended(alice, now - 2 * QUARTER)
    make_ended(alice, now - QUARTER + timedelta(seconds=30))

    assert add_up_usage() == 1

    assert now - 2 * QUARTER < mark() < now - QUARTER + timedelta(seconds=30)
    assert mark().minute % 15 == mark().second == mark().microsecond == 0
    assert succeeded(alice) == 2


def test_a_second_run_adds_nothing(alice: User) -> None:
    make_ended(alice, timezone.now() - DAY)
    assert add_up_usage() == 1

    assert add_up_usage() == 0

    assert Usage.objects.count() == 1


def test_a_run_goes_on_where_the_last_was_cut_short(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()
    for days in range(5):
        make_ended(alice, now - days * DAY - HOUR)
    with monkeypatch.context() as short:
        short.setattr(usage, "time", Mock(monotonic=Mock(side_effect=[0, 0, 9])))

        # The oldest of what is kept comes first.
        assert add_up_usage(seconds=5) == 0

    assert mark() < now - KEPT + STEP
    assert succeeded(alice) == 5
    assert add_up_usage() == 5
    assert succeeded(alice) == 5


def test_after_a_long_rest_only_the_days_that_are_told_of_are_added_up(alice: User) -> None:
    now = timezone.now()
    UsageMark.objects.create(reached=now - 400 * DAY)
    make_ended(alice, now - 200 * DAY)
    make_ended(alice, now - 2 * DAY)

    assert add_up_usage() == 1
    assert mark() > now - HOUR


def test_what_is_past_its_time_goes(alice: User, version: ModelVersion) -> None:
    now = timezone.now()
    for ago in (KEPT + HOUR, KEPT - HOUR):
        Usage.objects.create(user=alice, version=version, began_at=now - ago, **ONE_SUCCEEDED)

    tasks.add_up_usage()

    [kept] = Usage.objects.all()
    assert kept.began_at == now - KEPT + HOUR


def test_the_duty_says_how_much_it_added_up(alice: User) -> None:
    make_ended(alice, timezone.now() - DAY)

    with capture_logs() as first:
        tasks.add_up_usage()
    with capture_logs() as second:
        tasks.add_up_usage()

    assert [(line["event"], line["rows"]) for line in first] == [("usage_added_up", 1)]
    assert second == []


def test_nobody_sees_what_another_has(alice: User, bob: User) -> None:
    make_ended(alice, timezone.now() - DAY)
    add_up_usage()

    assert (succeeded(alice), succeeded(bob)) == (1, 0)


def test_what_is_added_up_is_read_from_an_index_alone(alice: User, version: ModelVersion) -> None:
    now, users = timezone.now(), [alice, *(make_user(f"user-{number}") for number in range(9))]
    Usage.objects.bulk_create(
        Usage(user=user, version=version, began_at=now - ago * QUARTER, **ONE_SUCCEEDED)
        for ago in range(1_000)
        for user in users
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE predictions_usage")
        # Before a vacuum, the planner thinks little of reading an index alone.
        cursor.execute("SET LOCAL enable_bitmapscan = off")

    plan = "\n".join(row[0] for row in _rows(f"EXPLAIN {FINISHED}", alice.pk))

    assert "Index Only Scan using usage_once_a_quarter" in plan
