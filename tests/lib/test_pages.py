"""Pages of a list are cut by id: none is counted, none overlaps, none leaves a row out."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from mlservice.lib.pagination import page_of


@pytest.fixture
def ids(db: None) -> list[int]:
    """Seven rows, newest first."""
    made = User.objects.bulk_create(User(username=f"u{n}", email=f"{n}@x.org") for n in range(7))
    return sorted((user.pk for user in made), reverse=True)


def shown(**asked: Any) -> tuple[list[int], bool, bool]:
    page = page_of(User.objects.all(), asked, 3)
    return [user.pk for user in page], page.has_newer, page.has_older


def test_older_pages_follow_until_the_last(ids: list[int]) -> None:
    assert shown() == (ids[:3], False, True)
    assert shown(before=ids[2]) == (ids[3:6], True, True)
    assert shown(before=ids[5]) == (ids[6:], True, False)


def test_newer_pages_lead_back_to_the_first(ids: list[int]) -> None:
    assert shown(after=ids[6]) == (ids[3:6], True, True)
    assert shown(after=ids[3]) == (ids[:3], False, True)
    assert shown(after=ids[1]) == (ids[:3], False, True)


@pytest.mark.parametrize("place", [{"before": 0}, {"before": "x"}, {"after": "9" * 5_000}, {}])
def test_a_place_that_holds_nothing_shows_the_newest(ids: list[int], place: Any) -> None:
    assert shown(**place) == (ids[:3], False, True)


def test_a_list_of_one_page_leads_nowhere(ids: list[int]) -> None:
    page = page_of(User.objects.all(), {}, 7)

    assert not page.has_other_pages


def test_one_query_reads_one_row_more_than_is_shown(ids: list[int]) -> None:
    with CaptureQueriesContext(connection) as queries:
        shown(before=ids[0])

    assert len(queries) == 1
    assert "LIMIT 4" in queries[0]["sql"]
