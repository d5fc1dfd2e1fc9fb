"""The filters of the history: what each lets through, and that none reads more than it must."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from ml_models.models import ModelVersion
from mlservice.lib.ids import first_id_at
from predictions.history import HistoryForm, ids_beginning
from predictions.models import Prediction
from predictions.runner import run
from tests.conftest import make_prediction

PageOf = Callable[[User], Client]


@pytest.fixture
def version(published_version: ModelVersion) -> ModelVersion:
    return published_version


def shown(client: Client, **filters: str) -> list[Prediction]:
    return list(client.get("/predictions", filters).context["page"].object_list)


def made_at(user: User, moment: datetime) -> Prediction:
    """Make a prediction whose id and time are of that moment."""
    made = make_prediction(user)
    old, made.pk = made.pk, UUID(int=first_id_at(moment).int + made.pk.int % 2**60)
    Prediction.objects.filter(pk=old).update(id=made.pk, created_at=moment)
    return made


def test_a_prediction_is_found_by_its_whole_id(
    page: PageOf, alice: User, version: ModelVersion
) -> None:
    wanted = make_prediction(alice)
    make_prediction(alice)

    assert shown(page(alice), id=f" {wanted.pk} ") == [wanted]


@pytest.mark.parametrize("length", [8, 9, 14, 35])
def test_a_prediction_is_found_by_the_beginning_of_its_id(
    page: PageOf, alice: User, version: ModelVersion, length: int
) -> None:
    other = made_at(alice, datetime(2026, 1, 5, tzinfo=UTC))
    wanted = make_prediction(alice)

    found = shown(page(alice), id=str(wanted.pk)[:length].upper())

    assert found == [wanted] != [other]


@pytest.mark.parametrize("text", ["0197b7a", "not-an-id", "0197b7a2" * 5, "0197b7ag"])
def test_what_begins_no_id_is_said_at_the_field_and_left_aside(
    page: PageOf, alice: User, version: ModelVersion, text: str
) -> None:
    made = make_prediction(alice)

    answer = page(alice).get("/predictions", {"id": text})

    assert answer.context["page"].object_list == [made]
    assert "id" in answer.context["form"].errors


def test_the_id_of_a_stranger_finds_nothing(
    page: PageOf, alice: User, bob: User, version: ModelVersion
) -> None:
    theirs = make_prediction(bob)

    assert shown(page(alice), id=str(theirs.pk)) == []


def test_a_beginning_becomes_the_range_of_its_ids() -> None:
    found = ids_beginning("0197b7a2-5f")

    assert found
    assert str(found.first) == "0197b7a2-5f00-0000-0000-000000000000"
    assert str(found.last) == "0197b7a2-5fff-ffff-ffff-ffffffffffff"


@pytest.mark.parametrize(
    "filters", [{"id": "0197b7a2"}, {"since": "2026-03-05"}, {"until": "2026-03-05"}]
)
def test_ids_and_days_are_ranges_of_the_index_that_lists_a_users_predictions(
    alice: User, version: ModelVersion, filters: dict[str, str]
) -> None:
    form = HistoryForm(filters)
    narrowed = form.narrow(Prediction.objects.for_user(alice.pk)).newest_first()[:26]

    plan = plan_of(narrowed)

    # PostgreSQL would rather read three rows than an index; on a large table it would not.
    assert "prediction_by_user" in plan
    condition = next(line for line in plan.splitlines() if "Index Cond" in line)
    assert "user_id =" in condition
    assert " id " in condition.replace("(id", " id")
    assert "::text" not in plan


def plan_of(predictions: Any) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        # Rows of other tests, taken back, have left their entries: the indexes would be told apart
        # by how many.
        cursor.execute("REINDEX TABLE predictions_prediction")
        # Sorting three rows costs nothing either, whatever index they came from.
        cursor.execute("SET LOCAL enable_sort = off")
    return str(predictions.explain())


def test_it_is_narrowed_by_version(
    page: PageOf, alice: User, version: ModelVersion, forest_version: ModelVersion
) -> None:
    first = make_prediction(alice)
    second = ModelVersion.objects.get(pk=version.pk)
    second.pk, second.number = None, 2
    second.save()
    later = make_prediction(alice)
    Prediction.objects.filter(pk=later.pk).update(version=second)

    assert shown(page(alice), version="1") == [first]
    assert shown(page(alice), version="2") == [later]


def test_it_is_narrowed_by_the_way_it_was_sent(
    page: PageOf, alice: User, version: ModelVersion
) -> None:
    by_api, by_web = make_prediction(alice), make_prediction(alice)
    Prediction.objects.filter(pk=by_web.pk).update(source="web")

    assert shown(page(alice), source="web") == [by_web]
    assert shown(page(alice), source="api") == [by_api]


def test_it_is_narrowed_by_cost_with_both_ends_included(
    page: PageOf, alice: User, version: ModelVersion, forest_version: ModelVersion
) -> None:
    free, cheap = make_prediction(alice), make_prediction(alice)
    dear = make_prediction(alice, model="random-forest")
    run([cheap.pk])
    run([dear.pk])

    client = page(alice)
    assert shown(client, cost_from="1", cost_to="5") == [dear, cheap]
    assert shown(client, cost_from="2") == [dear]
    assert shown(client, cost_to="0") == [free]


def test_it_is_narrowed_by_whether_rows_were_explained(
    page: PageOf, alice: User, version: ModelVersion
) -> None:
    plain, told = make_prediction(alice), make_prediction(alice)
    Prediction.objects.filter(pk=told.pk).update(explain=True)

    assert shown(page(alice), explained="yes") == [told]
    assert shown(page(alice), explained="no") == [plain]


def test_it_is_narrowed_by_metadata(page: PageOf, alice: User, version: ModelVersion) -> None:
    order = make_prediction(alice, metadata={"order": "42", "shop": "north"})
    other = make_prediction(alice, metadata={"order": "43", "sum": "a=b"})

    client = page(alice)
    assert shown(client, metadata="42") == [order]
    assert shown(client, metadata="order=43") == [other]
    assert shown(client, metadata="shop=42") == []
    assert shown(client, metadata="a=b") == [other]
    assert shown(client, metadata='"4') == []


def test_it_is_narrowed_by_days_with_both_days_included(
    page: PageOf, alice: User, version: ModelVersion
) -> None:
    prediction = made_at(alice, datetime(2026, 3, 5, 23, 59, tzinfo=UTC))

    client = page(alice)
    assert shown(client, since="2026-03-05", until="2026-03-05") == [prediction]
    assert shown(client, since="2026-03-06") == []
    assert shown(client, until="2026-03-04") == []


def test_a_day_is_a_day_where_the_reader_lives(
    page: PageOf, alice: User, version: ModelVersion
) -> None:
    alice.time_zone = "Pacific/Kiritimati"
    alice.save()
    made = made_at(alice, datetime(2026, 3, 5, 11, 0, tzinfo=UTC))

    client = page(alice)
    assert shown(client, since="2026-03-06", until="2026-03-06") == [made]
    assert shown(client, until="2026-03-05") == []


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_a_day_outside_the_calendar_is_left_aside(
    page: PageOf, alice: User, version: ModelVersion, day: str
) -> None:
    made = make_prediction(alice)

    assert shown(page(alice), since=day) == [made]
    assert shown(page(alice), until=day) == [made]


def test_filters_survive_turning_the_page(page: PageOf, alice: User, version: ModelVersion) -> None:
    for _ in range(26):
        make_prediction(alice)
    filters = {"status": "starting", "metadata": "", "cost_to": "0"}

    answer = page(alice).get("/predictions", filters).content.decode()

    older = answer.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
    asked = parse_qs(urlsplit(older).query)
    assert asked["status"] == ["starting"]
    assert asked["cost_to"] == ["0"]
    assert "before" in asked


def test_more_filters_are_open_when_one_of_them_is_in_use(
    page: PageOf, alice: User, version: ModelVersion
) -> None:
    make_prediction(alice)
    client = page(alice)

    closed = client.get("/predictions", {"status": "starting"}).content.decode()
    opened = client.get("/predictions", {"cost_to": "0"}).content.decode()

    assert ("<details open>" in closed, "<details open>" in opened) == (False, True)


def test_queries_do_not_grow_with_the_rows_under_any_filter(
    page: PageOf, alice: User, version: ModelVersion
) -> None:
    client = page(alice)
    filters = {"id": "", "since": "2026-01-01", "metadata": "order=1", "cost_to": "9"}
    counts = []
    for more in (3, 27):
        for _ in range(more):
            make_prediction(alice, metadata={"order": "1"})
        with CaptureQueriesContext(connection) as queries:
            client.get("/predictions", filters)
        counts.append(len(queries))

    assert counts[0] == counts[1]
