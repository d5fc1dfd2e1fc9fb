"""The dashboard's figures of the last days: what failed, how long it took, how far credits last."""

import re
from collections.abc import Callable
from datetime import datetime, time, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from billing.models import Hold, Wallet
from billing.services import wallet_of
from ml_models.models import ModelVersion
from mlservice.lib.ids import new_id
from mlservice.site.reliability import Reliability, reliability_of
from predictions import last_days
from predictions.last_days import finished, took
from predictions.models import Prediction
from tests.conftest import make_prediction

pytestmark = pytest.mark.django_db

PageOf = Callable[[User], Client]


def make_ended(
    user: User, *, days_ago: int = 0, seconds: float = 1, status: str = "succeeded"
) -> Prediction:
    """Make a prediction that ended so, on a day so long ago, a while after it was accepted."""
    made = make_prediction(user)
    noon = timezone.make_aware(
        datetime.combine(timezone.localdate() - timedelta(days=days_ago), time(hour=12))
    )
    Prediction.objects.filter(pk=made.pk).update(
        status=status,
        cost=1 if status == "succeeded" else 0,
        created_at=noon - timedelta(seconds=seconds),
        completed_at=noon,
    )
    return made


def reliability(user: User) -> Reliability:
    return reliability_of(finished(user_id=user.pk), took(user_id=user.pk))


def dashboard(client: Client) -> Any:
    answer = client.get("/dashboard")
    assert answer.status_code == 200
    return answer


@pytest.fixture(autouse=True)
def version(published_version: ModelVersion) -> ModelVersion:
    return published_version


def test_the_success_rate_is_of_what_succeeded_or_failed_in_thirty_days(alice: User) -> None:
    for _ in range(2):
        make_ended(alice)
    make_ended(alice, status="failed", days_ago=3)
    make_ended(alice, status="canceled")
    make_ended(alice, status="failed", days_ago=30)
    make_prediction(alice)

    shown = reliability(alice)

    assert (shown.ended, shown.success_rate) == (3, "66.6")


def test_the_page_says_how_many_failed(page: PageOf, alice: User) -> None:
    make_ended(alice)
    for _ in range(2):
        make_ended(alice, status="failed")

    shown = dashboard(page(alice)).content.decode()

    assert "3 predictions ended, 2 of them failed and cost nothing" in shown
    assert "33.3%" in shown
    assert 'href="/predictions?status=failed"' in shown


def test_a_rate_is_called_whole_only_when_it_is(alice: User) -> None:
    ended = [last_days.Finished(timezone.localdate(), 1, 0, 99_999, 1)]

    assert reliability_of(ended, []).success_rate == "99.9"
    assert (
        reliability_of([last_days.Finished(timezone.localdate(), 1, 0, 4, 0)], []).success_rate
        == "100"
    )


def test_failures_are_drawn_by_day(alice: User) -> None:
    make_ended(alice)
    make_ended(alice, status="failed")
    make_ended(alice, days_ago=1)

    chart = reliability(alice).failures_chart

    assert chart
    assert [row[1:] for row in chart.rows[-2:]] == [["0", "0", "1"], ["50", "1", "2"]]
    assert [bar.is_zero for bar in chart.bars[-2:]] == [True, False]
    assert chart.bars[-1].height == 50
    assert len(chart.bars) == len(chart.rows) == 30


def test_without_a_failure_there_is_no_chart_of_them(page: PageOf, alice: User) -> None:
    make_ended(alice)

    shown = dashboard(page(alice))

    assert shown.context["reliability"].failures_chart is None
    assert "Nothing failed." in shown.content.decode()


def test_the_times_are_from_accepted_to_done_of_what_succeeded(alice: User) -> None:
    for seconds in (1, 2, 3):
        make_ended(alice, seconds=seconds)
    make_ended(alice, seconds=10, days_ago=2)
    make_ended(alice, seconds=100, status="failed")

    shown = reliability(alice)

    assert shown.overall
    assert (shown.overall.median, shown.overall.predictions) == (2.5, 4)
    assert [(took.median, took.predictions) for took in shown.times] == [(10, 1), (2, 3)]
    assert shown.times[1].p95 == pytest.approx(2.9)


def test_the_times_are_drawn_at_their_days(alice: User) -> None:
    make_ended(alice, seconds=4)
    make_ended(alice, seconds=2, days_ago=29)

    chart = reliability(alice).latency_chart

    first, last = chart.line.split()
    assert (first, last) == ("1.67,50", "98.33,0")
    assert [row[1] for row in chart.rows] == ["2", "4"]


def test_of_a_busy_day_the_newest_are_measured_and_that_is_said(
    page: PageOf, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(last_days, "TIMED_A_DAY", 2)
    monkeypatch.setattr("mlservice.site.reliability.TIMED_A_DAY", 2)
    earlier = make_ended(alice, seconds=1)
    Prediction.objects.filter(pk=earlier.pk).update(completed_at=F("created_at"))
    for _ in range(2):
        make_ended(alice, seconds=0.5)

    shown = dashboard(page(alice))

    [today] = shown.context["reliability"].times
    assert (today.median, today.predictions) == (0.5, 2)
    assert "measured are the 2 latest of each day" in shown.content.decode()


def test_nothing_is_said_before_anything_ended(page: PageOf, alice: User) -> None:
    make_prediction(alice)

    assert "How predictions went" not in dashboard(page(alice)).content.decode()


def test_a_stranger_sees_none_of_it(page: PageOf, alice: User, bob: User) -> None:
    make_ended(alice, status="failed")

    assert dashboard(page(bob)).context["reliability"].ended == 0


@pytest.mark.parametrize(
    ("credits", "said"),
    [
        (3_000, "last longer than a year"),
        (60, "last about 60 days"),
        (1, "last about 1 day."),
    ],
)
def test_it_is_said_how_long_the_credits_last(
    page: PageOf, alice: User, credits: int, said: str
) -> None:
    for _ in range(30):
        make_ended(alice, days_ago=29)
    Wallet.objects.filter(user=alice).update(balance=credits, held=0)

    assert said in dashboard(page(alice)).content.decode()


def test_without_any_spend_nothing_is_said_of_how_long_credits_last(
    page: PageOf, alice: User
) -> None:
    make_ended(alice, status="failed")

    assert "At the spend of" not in dashboard(page(alice)).content.decode()


def test_a_frozen_wallet_is_explained_in_place_of_it(page: PageOf, alice: User) -> None:
    make_ended(alice)
    Wallet.objects.filter(user=alice).update(shortfall=7)

    shown = dashboard(page(alice)).content.decode()

    assert "7 credits of a reversed payment are owed" in shown
    assert "new predictions are refused" in shown
    assert "At the spend of" not in shown


def test_every_chart_has_a_name_words_and_a_table(page: PageOf, alice: User) -> None:
    make_ended(alice)
    make_ended(alice, status="failed")

    shown = dashboard(page(alice)).content.decode()

    for name in ("spent", "failed", "took"):
        assert f'<title id="{name}-title">' in shown
        assert f'<desc id="{name}-about">' in shown
    assert shown.count('<details class="behind">') == 3


def make_many(user: User, version: ModelVersion, number: int) -> None:
    """Write predictions that ended over the last months, one after another."""
    wallet, now = wallet_of(user.pk), timezone.now()
    done = [now - timedelta(hours=2 * ago) for ago in range(number)]
    holds = Hold.objects.bulk_create(
        Hold(
            wallet=wallet,
            amount=1,
            captured=1,
            status="captured",
            reference_type="prediction",
            reference_id=str(new_id()),
            resolved_at=moment,
        )
        for moment in done
    )
    Prediction.objects.bulk_create(
        Prediction(
            user=user,
            version=version,
            hold=hold,
            status="succeeded",
            cost=1,
            source="api",
            input="[]",
            rows_total=1,
            rows_valid=1,
            price=1,
            completed_at=moment,
        )
        for hold, moment in zip(holds, done, strict=True)
    )


def test_what_the_dashboard_adds_up_is_read_from_an_index_alone(
    alice: User, version: ModelVersion
) -> None:
    make_many(alice, version, 1_000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE predictions_prediction")

    for query in (last_days.FINISHED, last_days.TOOK):
        plan = "\n".join(row[0] for row in last_days._rows(f"EXPLAIN {query}", alice.pk))

        assert re.search("Index Only Scan (Backward )?using prediction_finished", plan)
        # The mark is one row.
        assert "Seq Scan on predictions" not in plan.replace("predictions_usagemark", "the mark")


def test_the_queries_do_not_grow_with_the_predictions(page: PageOf, alice: User) -> None:
    client = page(alice)
    counts = []
    for more in (3, 27):
        for number in range(more):
            make_ended(alice, days_ago=number, status="failed" if number % 2 else "succeeded")
        with CaptureQueriesContext(connection) as queries:
            dashboard(client)
        counts.append(len(queries))

    assert counts[0] == counts[1]
