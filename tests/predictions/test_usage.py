"""Usage is added up by quarters of an hour: nothing is told twice, and nothing is left out."""

import math
import random
import re
from datetime import datetime, timedelta
from itertools import chain, repeat

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import User
from ml_models.models import ModelVersion
from predictions.last_days import FINISHED, Finished, _rows, finished
from predictions.models import Prediction, Usage, UsageMark
from predictions.tasks import add_up_the_usage
from predictions.usage import KEPT, QUARTER, add_up_usage
from tests.conftest import make_prediction

pytestmark = pytest.mark.django_db

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture(autouse=True)
def version(published_version: ModelVersion) -> ModelVersion:
    return published_version


def make_ended(user: User, at: datetime, *, status: str = "succeeded", cost: int = 1) -> Prediction:
    made = make_prediction(user)
    Prediction.objects.filter(pk=made.pk).update(
        status=status, cost=cost, created_at=at, completed_at=at
    )
    return made


def add_up() -> int:
    return add_up_usage(ends_at=math.inf)


def told(user: User) -> list[Finished]:
    return sorted(finished(user_id=user.pk), key=lambda row: (row.day, row.version_id))


def succeeded(user: User) -> int:
    return sum(row.succeeded for row in finished(user_id=user.pk))


def mark() -> datetime:
    return UsageMark.objects.get().reached


def test_a_history_is_told_alike_whether_it_is_added_up_or_not(
    alice: User, bob: User, version: ModelVersion, forest_version: ModelVersion
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
    zones = ("UTC", "Pacific/Honolulu", "Pacific/Kiritimati", "Asia/Kathmandu", "Europe/Berlin")

    def everything() -> list[list[Finished]]:
        found = []
        for zone in zones:
            with timezone.override(zone):
                found += [told(alice), told(bob)]
        return found

    before = everything()
    assert add_up() > 60

    assert everything() == before
    assert before[0] != before[2] != before[4]


def test_what_is_added_up_is_read_no_more_and_what_comes_later_is(alice: User) -> None:
    now = timezone.now()
    old = make_ended(alice, now - DAY)
    add_up()
    Prediction.objects.filter(pk=old.pk).update(cost=500)
    make_ended(alice, now)

    assert sum(row.spent for row in finished(user_id=alice.pk)) == 2


@pytest.mark.parametrize("status", ["failed", "canceled"])
def test_what_cost_nothing_is_added_up_too(alice: User, status: str) -> None:
    make_ended(alice, timezone.now() - DAY, status=status, cost=0)

    assert add_up() == 1

    [row] = Usage.objects.all()
    assert (row.spent, row.succeeded, row.failed) == (0, 0, int(status == "failed"))


def test_a_quarter_is_added_up_when_it_is_over_and_another_has_passed(alice: User) -> None:
    now = timezone.now()
    make_ended(alice, now - 2 * QUARTER)
    make_ended(alice, now - QUARTER + timedelta(seconds=30))

    assert add_up() == 1

    assert now - 2 * QUARTER < mark() < now - QUARTER + timedelta(seconds=30)
    assert mark().minute % 15 == mark().second == mark().microsecond == 0
    assert succeeded(alice) == 2


def test_a_second_run_adds_nothing(alice: User) -> None:
    make_ended(alice, timezone.now() - DAY)
    assert add_up() == 1

    assert add_up() == 0

    assert Usage.objects.count() == 1


def test_a_run_goes_on_where_the_last_was_cut_short(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()
    for days in range(5):
        make_ended(alice, now - days * DAY - HOUR)
    monkeypatch.setattr("time.monotonic", chain([0, 0], repeat(9)).__next__)

    # The oldest of the days kept come first.
    assert add_up_usage(ends_at=5) == 0
    reached = mark()
    monkeypatch.undo()

    assert reached < now - KEPT + 2 * DAY + HOUR
    assert succeeded(alice) == 5
    assert add_up() == 5
    assert succeeded(alice) == 5


def test_after_a_long_rest_only_the_days_that_are_told_of_are_added_up(alice: User) -> None:
    now = timezone.now()
    UsageMark.objects.create(reached=now - 400 * DAY)
    make_ended(alice, now - 200 * DAY)
    make_ended(alice, now - 2 * DAY)

    assert add_up() == 1
    assert mark() > now - HOUR


def test_what_is_past_its_time_goes(alice: User, version: ModelVersion) -> None:
    now = timezone.now()
    for ago in (KEPT + HOUR, KEPT - HOUR):
        Usage.objects.create(
            user=alice, version=version, quarter=now - ago, spent=1, succeeded=1, failed=0
        )

    add_up_the_usage()

    [kept] = Usage.objects.all()
    assert kept.quarter == now - KEPT + HOUR


def test_nobody_sees_what_another_has(alice: User, bob: User) -> None:
    make_ended(alice, timezone.now() - DAY)
    add_up()

    assert (succeeded(alice), succeeded(bob)) == (1, 0)


def test_what_is_added_up_is_read_from_an_index_alone(alice: User, version: ModelVersion) -> None:
    now = timezone.now()
    Usage.objects.bulk_create(
        Usage(
            user=alice,
            version=version,
            quarter=now - number * QUARTER,
            spent=1,
            succeeded=1,
            failed=0,
        )
        for number in range(2_000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE predictions_usage")

    plan = "\n".join(row[0] for row in _rows(f"EXPLAIN {FINISHED}", alice.pk))

    assert re.search("Index Only Scan using usage_once_a_quarter", plan)
    assert "Seq Scan on predictions_usage " not in plan
