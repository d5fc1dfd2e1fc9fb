"""Goal: everybody can read how a model's versions and prices changed; drafts stay private."""

from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from ml_models.history import LISTED, changelog, metrics_change, price_history
from ml_models.models import ModelVersion
from ml_models.selectors import forget_found_versions
from ml_models.services import publish_version, set_price
from tests.ml_models.builders import make_release, make_version

pytestmark = pytest.mark.django_db


def make_next(price: int, **changes: Any) -> ModelVersion:
    return publish_version(release=make_release(**changes), price=price)[0]


def test_the_changelog_tells_what_each_version_gained() -> None:
    first = make_version(metrics={"r2": 0.9, "mae": 10.0})
    make_next(7, metrics={"r2": 0.95, "mae": 8.0})

    entries = changelog(model_id=first.model_id)

    assert [(one.number, one.status, one.price) for one in entries] == [
        (2, "published", 7),
        (1, "published", 3),
    ]
    assert [one.metrics_change for one in entries] == [{"r2": 0.05, "mae": -2.0}, {}]


@pytest.mark.parametrize(
    ("after", "before", "change"),
    [
        ({"r2": 0.3}, {"r2": 0.1}, {"r2": 0.2}),
        ({"r2": 0.3, "rows": 5}, {"r2": 0.3, "rows": 4}, {"rows": 1.0}),
        ({"new": 1.0}, {"old": 1.0}, {}),
        ({"said": "well", "is_fine": True}, {"said": "badly", "is_fine": False}, {}),
    ],
)
def test_only_numbers_that_both_know_are_compared(
    after: dict[str, Any], before: dict[str, Any], change: dict[str, float]
) -> None:
    assert metrics_change(after, before) == change


def test_the_price_history_tells_each_change() -> None:
    version = make_version(price=3)
    set_price(version=version, price=5)
    set_price(version=version, price=4)

    changes = price_history(model_id=version.model_id)

    told = [(one.version.number, one.price_before, one.price_after) for one in changes]
    assert told == [(1, 5, 4), (1, 3, 5)]


def test_a_draft_and_its_prices_are_told_to_nobody() -> None:
    first = make_version()
    draft, _ = publish_version(release=make_release(), price=7, is_draft=True)
    set_price(version=draft, price=8)

    assert [one.number for one in changelog(model_id=first.model_id)] == [1]
    assert price_history(model_id=first.model_id) == []


def test_the_page_and_the_api_tell_both(client: Client) -> None:
    version = make_version(metrics={"mae": 10.0})
    make_next(7, metrics={"mae": 8.0})
    set_price(version=version, price=5)
    forget_found_versions()

    page = client.get("/models/toy").content.decode()
    told = client.get("/api/v1/models/toy").json()

    assert 'Mean absolute error: <span class="nowrap">−2</span>' in page
    assert "3 → 5" in page
    assert [one["version"] for one in told["changelog"]] == [2, 1]
    assert told["changelog"][0]["metrics_change"] == {"mae": -2.0}
    change = told["price_history"][0]
    assert (change["version"], change["price_before"], change["price_after"]) == (1, 3, 5)


@pytest.mark.parametrize("address", ["/models/toy", "/api/v1/models/toy"])
def test_a_long_history_is_cut_and_costs_no_further_query(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries, address: str
) -> None:
    version = make_version()
    for price in range(10, 10 + LISTED + 5):
        set_price(version=make_next(price), price=price + 100)
    forget_found_versions()

    with django_assert_num_queries(4):
        client.get(address)

    assert len(changelog(model_id=version.model_id)) == LISTED
    assert len(price_history(model_id=version.model_id)) == LISTED
