"""The operators' desk for predictions: found by id or user, looked at, never touched."""

import re
from collections.abc import Callable
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from billing.services import refund
from ml_models.models import ModelVersion
from predictions import runner
from predictions.admin import sought
from predictions.models import Prediction
from tests.conftest import make_prediction

ADDRESS = "/admin/predictions/prediction/"
Page = Callable[[User], Client]


@pytest.fixture
def prediction(alice: User, published_version: ModelVersion) -> Prediction:
    return make_prediction(alice)


def found(client: Client, search: str) -> list[Prediction]:
    return list(client.get(ADDRESS, {"q": search}).context["cl"].result_list)


def test_a_prediction_is_found_by_its_id(
    staff: User, alice: User, prediction: Prediction, page: Page
) -> None:
    make_prediction(alice)

    assert found(page(staff), str(prediction.pk)) == [prediction]


def test_predictions_are_found_by_their_user(
    staff: User, bob: User, prediction: Prediction, page: Page
) -> None:
    make_prediction(bob)

    assert found(page(staff), "alice") == [prediction]


def test_a_prediction_is_found_by_the_beginning_of_its_id(
    staff: User, prediction: Prediction, page: Page
) -> None:
    assert found(page(staff), str(prediction.pk)[:13]) == [prediction]


@pytest.mark.parametrize("search", ["ALICE", "Alice@Example.com", " alice "])
def test_a_user_is_meant_by_name_or_e_mail_in_any_case(
    staff: User, bob: User, prediction: Prediction, page: Page, search: str
) -> None:
    make_prediction(bob)

    assert found(page(staff), search) == [prediction]


def test_a_prediction_is_found_by_the_number_of_its_hold(
    staff: User, alice: User, prediction: Prediction, page: Page
) -> None:
    make_prediction(alice)

    assert found(page(staff), str(prediction.hold_id)) == [prediction]


@pytest.mark.parametrize("search", ["9" * 19, "9" * 5_000, "ali", "²", "-1", "1 OR 1"])
def test_what_names_nothing_finds_nothing(
    staff: User, prediction: Prediction, page: Page, search: str
) -> None:
    assert found(page(staff), search) == []


@pytest.mark.parametrize("search", ["0197b7a2-5f0e-7c3a-9d7e-2f4b8a1c6e55", "0197b7a2", "12345678"])
def test_an_id_and_a_number_are_found_by_indexes(prediction: Prediction, search: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")

    plan = Prediction.objects.filter(sought(search)).explain()

    assert "Index Cond" in plan
    assert "Filter" not in plan
    assert "::text" not in plan


def test_an_unknown_id_finds_nothing(staff: User, prediction: Prediction, page: Page) -> None:
    assert found(page(staff), str(uuid4())) == []


def test_the_page_of_one_shows_its_input(staff: User, prediction: Prediction, page: Page) -> None:
    answer = page(staff).get(f"{ADDRESS}{prediction.pk}/change/")

    assert answer.status_code == 200
    assert "carat" in answer.content.decode()


def test_a_prediction_is_neither_added_nor_changed_nor_deleted(
    staff: User, prediction: Prediction, page: Page
) -> None:
    client = page(staff)

    added = client.post(f"{ADDRESS}add/", {})
    changed = client.post(f"{ADDRESS}{prediction.pk}/change/", {"cost": 0})
    deleted = client.post(f"{ADDRESS}{prediction.pk}/delete/", {"post": "yes"})

    assert [added.status_code, changed.status_code, deleted.status_code] == [403, 403, 403]


def test_the_list_asks_as_often_for_thirty_as_for_three_and_reads_no_rows(
    staff: User, alice: User, published_version: ModelVersion, page: Page
) -> None:
    client = page(staff)
    for _ in range(3):
        make_prediction(alice)
    few = queries_of(client)

    for _ in range(27):
        make_prediction(alice)
    many = queries_of(client)

    assert len(many) == len(few)
    assert not any('"predictions_prediction"."input"' in query["sql"] for query in many)


def test_the_page_of_one_leads_to_its_refund_while_there_is_something_to_give_back(
    staff: User, prediction: Prediction, page: Page
) -> None:
    client = page(staff)
    before = client.get(f"{ADDRESS}{prediction.pk}/change/").content.decode()
    runner.run([prediction.pk])
    charged = client.get(f"{ADDRESS}{prediction.pk}/change/").content.decode()

    found = re.search(r'href="(/admin/billing/hold/\d+/refund)"', charged)
    assert found
    assert client.get(found[1]).context["hold"] == prediction.hold
    refund(hold_id=prediction.hold_id, amount=1, reason="Wrong", actor_id=staff.pk)
    after = client.get(f"{ADDRESS}{prediction.pk}/change/").content.decode()
    assert "/refund" not in before + after


def queries_of(client: Client) -> list[dict[str, str]]:
    with CaptureQueriesContext(connection) as queries:
        assert client.get(ADDRESS).status_code == 200
    return queries.captured_queries
