"""The history of predictions in the browser."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from ml_models.models import ModelVersion
from predictions.models import Prediction
from predictions.runner import run
from tests.conftest import make_prediction

PageOf = Callable[[User], Client]


def shown(client: Client, **filters: str) -> list[Prediction]:
    return list(client.get("/predictions", filters).context["page"].object_list)


def test_own_predictions_are_listed_newest_first(
    page: PageOf, alice: User, bob: User, published_version: ModelVersion
) -> None:
    first, second = make_prediction(alice), make_prediction(alice)
    make_prediction(bob)

    assert shown(page(alice)) == [second, first]


def test_an_empty_history_leads_to_the_first_prediction(page: PageOf, alice: User) -> None:
    answer = page(alice).get("/predictions")

    assert b"You have no predictions yet" in answer.content
    assert b'href="/predictions/new"' in answer.content


def test_it_is_narrowed_by_status_and_model(
    page: PageOf, alice: User, published_version: ModelVersion, forest_version: ModelVersion
) -> None:
    finished, waiting = make_prediction(alice), make_prediction(alice, model="random-forest")
    run([finished.pk])

    client = page(alice)
    assert shown(client, status="succeeded") == [finished]
    assert shown(client, model="random-forest") == [waiting]
    assert shown(client, model="random-forest", status="succeeded") == []


@pytest.mark.parametrize(
    "filters",
    [
        {"status": "x"},
        {"since": "x"},
        {"model": "x"},
        {"before": "x"},
        {"after": "x"},
        {"model": "a\0"},
    ],
)
def test_a_filter_that_makes_no_sense_is_left_aside(
    page: PageOf, alice: User, published_version: ModelVersion, filters: dict[str, str]
) -> None:
    prediction = make_prediction(alice)

    assert shown(page(alice), **filters) == [prediction]


def test_a_page_holds_25(page: PageOf, alice: User, published_version: ModelVersion) -> None:
    made = [make_prediction(alice) for _ in range(26)]

    client = page(alice)
    assert len(shown(client)) == 25
    assert shown(client, before=str(made[1].pk)) == [made[0]]
    assert shown(client, after=str(made[0].pk)) == made[:0:-1]


def test_queries_do_not_grow_with_the_rows(
    page: PageOf, alice: User, published_version: ModelVersion
) -> None:
    counts = []
    client = page(alice)
    for more in (3, 27):
        for _ in range(more):
            make_prediction(alice)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            client.get("/predictions")
        counts.append(len(queries))

    assert counts[0] == counts[1]


def test_it_needs_a_sign_in(client: Client, db: None) -> None:
    assert client.get("/predictions")["Location"] == "/sign-in?next=/predictions"
