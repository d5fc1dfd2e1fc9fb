"""The dashboard: balance, spend day by day and model by model, latest predictions."""

import re
from collections.abc import Callable
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from billing.models import Hold, LedgerEntry
from billing.services import wallet_of
from ml_models.models import MLModel, ModelVersion
from mlservice.lib.charts import SMALLEST_BAR
from mlservice.lib.ids import new_id
from mlservice.site.spending import Spending, spend_of
from predictions import runner
from predictions.last_days import finished
from predictions.models import Prediction
from tests.conftest import make_prediction

pytestmark = pytest.mark.django_db

PageOf = Callable[[User], Client]


def make_charged(user: User, version: ModelVersion, *, amount: int, days_ago: int) -> Prediction:
    """Write a prediction that was done some days ago and cost so much."""
    done = timezone.now() - timedelta(days=days_ago)
    hold = Hold.objects.create(
        wallet=wallet_of(user.pk),
        amount=amount,
        captured=amount,
        status=Hold.Status.CAPTURED,
        reference_type="prediction",
        reference_id=str(new_id()),
        resolved_at=done,
    )
    return Prediction.objects.create(
        user=user,
        version=version,
        hold=hold,
        status=Prediction.Status.SUCCEEDED,
        source=Prediction.Source.API,
        input="[]",
        rows_total=amount,
        rows_valid=amount,
        price=1,
        cost=amount,
        completed_at=done,
    )


def recent_spend(*, user_id: int) -> Spending:
    return spend_of(finished(user_id=user_id))


def spent_on(user: User, version: ModelVersion, **amounts: int) -> Spending:
    for days_ago, amount in amounts.items():
        make_charged(user, version, amount=amount, days_ago=int(days_ago.removeprefix("ago_")))
    return recent_spend(user_id=user.pk)


def chart_in(shown: str) -> str:
    return shown.partition('<svg class="chart"')[2].partition("</figure>")[0]


def queries_with(signed_in: Client) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert signed_in.get("/dashboard").status_code == 200
    return len(queries)


def test_the_dashboard_needs_a_sign_in(client: Client) -> None:
    response = client.get("/dashboard")

    assert response["Location"] == "/sign-in?next=/dashboard"


def test_spend_is_added_up_by_day_and_ends_today(
    alice: User, published_version: ModelVersion
) -> None:
    make_charged(alice, published_version, amount=30, days_ago=0)
    make_charged(alice, published_version, amount=50, days_ago=1)
    make_charged(alice, published_version, amount=70, days_ago=1)
    make_charged(alice, published_version, amount=900, days_ago=30)

    spending = recent_spend(user_id=alice.pk)

    assert [day.amount for day in spending.days[-3:]] == [0, 120, 30]
    assert len(spending.days) == 30
    assert (spending.total, spending.highest) == (150, 120)


def test_spend_is_added_up_by_model_over_its_versions_the_dearest_first(
    alice: User, published_version: ModelVersion, forest_version: ModelVersion
) -> None:
    second = ModelVersion.objects.get(pk=published_version.pk)
    second.pk, second.number = None, 2
    second.save()
    make_charged(alice, published_version, amount=3, days_ago=0)
    make_charged(alice, second, amount=4, days_ago=2)
    make_charged(alice, forest_version, amount=50, days_ago=1)
    make_charged(alice, forest_version, amount=900, days_ago=30)

    spending = recent_spend(user_id=alice.pk)

    shown = [(spent.model.slug, spent.predictions, spent.amount) for spent in spending.models]
    assert shown == [("random-forest", 1, 50), ("linear-regression", 2, 7)]
    assert sum(spent.amount for spent in spending.models) == spending.total


def test_the_spend_is_what_the_ledger_charged(alice: User, published_version: ModelVersion) -> None:
    runner.run([make_prediction(alice).pk, make_prediction(alice).pk])

    spending = recent_spend(user_id=alice.pk)

    charged = LedgerEntry.objects.filter(wallet__user=alice, kind=LedgerEntry.Kind.CAPTURE)
    assert spending.total == -sum(entry.amount for entry in charged) == 2


@pytest.mark.parametrize(
    ("amounts", "available", "days"),
    [
        ({"ago_0": 10}, 10, 3),
        ({"ago_0": 10}, 0, 0),
        ({"ago_2": 10, "ago_1": 20}, 90, 9),
        ({"ago_9": 10, "ago_0": 10}, 10, 5),
        ({"ago_29": 1, "ago_0": 29}, 30, 30),
        ({"ago_40": 900, "ago_0": 10}, 10, 3),
    ],
)
def test_credits_last_as_long_as_at_the_spend_since_the_first_one(
    alice: User, published_version: ModelVersion, amounts: dict[str, int], available: int, days: int
) -> None:
    assert spent_on(alice, published_version, **amounts).days_left(available) == days


def test_what_was_never_spent_lasts_for_no_number_of_days(alice: User) -> None:
    assert recent_spend(user_id=alice.pk).days_left(10) is None


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "At the spend of late, the available credits last about"),
        ("ru", "При расходах последнего времени доступных кредитов хватит"),
    ],
)
def test_the_dashboard_says_how_long_credits_last(
    page: PageOf, alice: User, published_version: ModelVersion, language: str, said: str
) -> None:
    make_charged(alice, published_version, amount=wallet_of(alice.pk).available, days_ago=0)
    reader = page(alice)
    reader.cookies["django_language"] = language

    assert said in reader.get("/dashboard").content.decode()


def test_the_spend_by_model_stands_in_a_table_with_a_name(
    page: PageOf, alice: User, forest_version: ModelVersion
) -> None:
    make_charged(alice, forest_version, amount=30, days_ago=0)

    shown = page(alice).get("/dashboard").content.decode()

    assert '<caption id="spending-by-model">The same by model</caption>' in shown
    assert '<th scope="row">Random Forest</th>' in shown


@pytest.mark.parametrize(("zone", "spent"), [("Pacific/Kiritimati", 5), ("Pacific/Midway", 0)])
def test_the_thirty_days_begin_at_midnight_where_the_reader_lives(
    page: PageOf, alice: User, published_version: ModelVersion, zone: str, spent: int
) -> None:
    alice.time_zone = zone
    alice.save()
    first = timezone.localdate(timezone=ZoneInfo(zone)) - timedelta(days=29)
    midnight = datetime.combine(first, time.min, tzinfo=ZoneInfo(zone))
    made = make_charged(alice, published_version, amount=5, days_ago=0)
    edge = midnight if spent else midnight - timedelta(microseconds=1)
    Prediction.objects.filter(pk=made.pk).update(completed_at=edge)

    spending = page(alice).get("/dashboard").context["spending"]

    assert (spending.total, spending.days[0].amount) == (spent, spent)


def test_a_day_of_the_chart_is_a_day_where_the_reader_lives(page: PageOf, alice: User) -> None:
    alice.time_zone = "Pacific/Kiritimati"
    alice.save()
    now = timezone.now()

    last = page(alice).get("/dashboard").context["spending"].days[-1]

    assert last.day == timezone.localdate(now, ZoneInfo("Pacific/Kiritimati"))


def test_the_highest_day_fills_the_chart_and_a_small_one_stays_visible(
    alice: User, published_version: ModelVersion
) -> None:
    make_charged(alice, published_version, amount=1_000, days_ago=0)
    make_charged(alice, published_version, amount=1, days_ago=1)

    bars = recent_spend(user_id=alice.pk).chart.bars

    assert (bars[-1].y, bars[-1].height) == (0, 100)
    assert bars[-2].height == SMALLEST_BAR
    assert [bar.is_zero for bar in bars[-3:]] == [True, False, False]


def test_the_chart_is_drawn_in_plain_numbers(
    page: PageOf, alice: User, published_version: ModelVersion
) -> None:
    make_charged(alice, published_version, amount=1_000, days_ago=0)

    russian = page(alice)
    russian.cookies["django_language"] = "ru"
    drawn = russian.get("/dashboard").content.decode()

    places = re.findall(r' (?:x|y|x1|x2|y1|y2|width|height)="([^"]+)"', chart_in(drawn))
    assert len(places) > 4 * 30
    assert [place for place in places if not re.fullmatch(r"-?[\d.]+%?", place)] == []


def test_the_numbers_of_the_chart_stand_in_a_table(
    page: PageOf, alice: User, published_version: ModelVersion
) -> None:
    make_charged(alice, published_version, amount=1_000, days_ago=0)

    chart = page(alice).get("/dashboard").context["spending"].chart

    assert [amount for _, amount in chart.rows[-2:]] == ["0", "1,000"]
    assert len(chart.rows) == 30


def test_the_models_of_a_day_stand_on_one_another(
    alice: User, published_version: ModelVersion, forest_version: ModelVersion
) -> None:
    make_charged(alice, published_version, amount=40, days_ago=0)
    make_charged(alice, forest_version, amount=60, days_ago=0)
    make_charged(alice, forest_version, amount=50, days_ago=1)

    chart = recent_spend(user_id=alice.pk).chart

    yesterday, lower, upper = chart.bars[-3:]
    assert chart.legend == ["Random Forest", "Linear Regression"]
    assert (lower.tone, lower.below, lower.height) == (1, 0, 60)
    assert (upper.tone, upper.y, upper.height) == (2, 0, 40)
    assert (yesterday.tone, yesterday.height) == (1, 50)
    assert [row[1:] for row in chart.rows[-2:]] == [["50", "0", "50"], ["60", "40", "100"]]


def test_one_model_needs_no_legend(alice: User, published_version: ModelVersion) -> None:
    make_charged(alice, published_version, amount=40, days_ago=0)

    chart = recent_spend(user_id=alice.pk).chart

    assert chart.legend == []
    assert (len(chart.bars), chart.rows[-1][1:]) == (30, ["40"])


def test_models_that_cost_little_are_drawn_as_one_part(
    alice: User, published_version: ModelVersion
) -> None:
    for number in range(5):
        model = MLModel.objects.create(slug=f"m{number}", title=f"M{number}")
        version = ModelVersion.objects.get(pk=published_version.pk)
        version.pk, version.model = None, model
        version.save()
        make_charged(alice, version, amount=10 - number, days_ago=0)

    chart = recent_spend(user_id=alice.pk).chart

    assert chart.legend == ["M0", "M1", "M2", "Others"]
    assert chart.rows[-1][1:] == ["10", "9", "8", "13", "40"]
    assert [bar.tone for bar in chart.bars[-4:]] == [1, 2, 3, 4]


def test_a_stranger_sees_none_of_it(
    page: PageOf, alice: User, bob: User, published_version: ModelVersion
) -> None:
    make_charged(alice, published_version, amount=30, days_ago=0)
    make_prediction(alice)

    response = page(bob).get("/dashboard")

    assert response.context["spending"].total == 0
    assert "No predictions yet" in response.content.decode()


def test_the_queries_do_not_grow_with_the_predictions(
    page: PageOf, alice: User, published_version: ModelVersion
) -> None:
    signed_in = page(alice)
    for days_ago in range(3):
        make_charged(alice, published_version, amount=1, days_ago=days_ago)
    with_three = queries_with(signed_in)

    for days_ago in range(27):
        make_charged(alice, published_version, amount=1, days_ago=days_ago)

    assert queries_with(signed_in) == with_three
