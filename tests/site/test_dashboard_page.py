"""The dashboard: balance, spend day by day, latest predictions."""

from collections.abc import Callable
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from billing.models import LedgerEntry
from billing.services import wallet_of
from ml_models.models import ModelVersion
from mlservice.site.spending import daily_spend
from tests.conftest import make_prediction

pytestmark = pytest.mark.django_db

PageOf = Callable[[User], Client]


def make_capture(user: User, *, amount: int, days_ago: int) -> LedgerEntry:
    return LedgerEntry.objects.create(
        wallet=wallet_of(user.pk),
        kind=LedgerEntry.Kind.CAPTURE,
        amount=-amount,
        balance_after=0,
        reference_type="prediction",
        reference_id=f"{amount}-{days_ago}",
        created_at=timezone.now() - timedelta(days=days_ago),
    )


def queries_with(signed_in: Client) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert signed_in.get("/dashboard").status_code == 200
    return len(queries)


def test_the_dashboard_needs_a_sign_in(client: Client) -> None:
    response = client.get("/dashboard")

    assert response["Location"] == "/sign-in?next=/dashboard"


def test_spend_is_added_up_by_day_and_ends_today(alice: User) -> None:
    make_capture(alice, amount=30, days_ago=0)
    make_capture(alice, amount=50, days_ago=1)
    make_capture(alice, amount=70, days_ago=1)
    make_capture(alice, amount=900, days_ago=30)

    spending = daily_spend(wallet=wallet_of(alice.pk))

    assert [bar.amount for bar in spending.bars[-3:]] == [0, 120, 30]
    assert len(spending.bars) == 30
    assert (spending.total, spending.highest) == (150, 120)


def test_a_day_of_the_chart_is_a_day_where_the_reader_lives(page: PageOf, alice: User) -> None:
    alice.time_zone = "Pacific/Kiritimati"
    alice.save()
    now = timezone.now()

    last = page(alice).get("/dashboard").context["spending"].bars[-1]

    assert last.day == timezone.localdate(now, ZoneInfo("Pacific/Kiritimati"))


def test_the_highest_day_fills_the_chart_and_a_small_one_stays_visible(alice: User) -> None:
    make_capture(alice, amount=1_000, days_ago=0)
    make_capture(alice, amount=1, days_ago=1)

    bars = daily_spend(wallet=wallet_of(alice.pk)).bars

    assert (bars[-1].y, bars[-1].height) == (0, 120)
    assert bars[-2].height == 2


def test_the_chart_is_drawn_in_plain_numbers(page: PageOf, alice: User) -> None:
    make_capture(alice, amount=1_000, days_ago=0)

    drawn = page(alice).get("/dashboard", headers={"accept-language": "ru"}).content.decode()

    assert 'viewBox="0 0 600 120"' in drawn


def test_a_stranger_sees_none_of_it(
    page: PageOf, alice: User, bob: User, published_version: ModelVersion
) -> None:
    make_capture(alice, amount=30, days_ago=0)
    make_prediction(alice)

    response = page(bob).get("/dashboard")

    assert response.context["spending"].total == 0
    assert "No predictions yet" in response.content.decode()


def test_the_queries_do_not_grow_with_the_predictions(
    page: PageOf, alice: User, published_version: ModelVersion
) -> None:
    signed_in = page(alice)
    for _ in range(3):
        make_prediction(alice)
    with_three = queries_with(signed_in)

    for _ in range(27):
        make_prediction(alice)

    assert queries_with(signed_in) == with_three
