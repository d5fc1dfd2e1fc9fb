"""Goal: a candidate serves its share of the users, the same ones in every process."""

import subprocess
import sys

import pytest
from django.contrib.auth.models import AnonymousUser
from pytest_django import DjangoAssertNumQueries

from ml_models.models import MLModel, ModelVersion, place_of
from ml_models.pointers import set_candidate
from ml_models.selectors import find_version, forget_found_versions, listed_versions
from ml_models.services import break_version, publish_version
from tests.ml_models.builders import make_release

pytestmark = pytest.mark.django_db

USERS = range(1, 2_001)


@pytest.fixture
def versions() -> tuple[ModelVersion, ModelVersion]:
    first, second = (publish_version(release=make_release(), price=price)[0] for price in (3, 7))
    return first, second


def users_of(version: ModelVersion, share: int) -> set[int]:
    set_candidate(version=version, share=share)
    forget_found_versions()
    return {user for user in USERS if find_version(slug="toy", user_id=user) == version}


def test_it_serves_about_its_share(versions: tuple[ModelVersion, ModelVersion]) -> None:
    served = users_of(versions[1], 10)

    # Four standard deviations around 200.
    assert 146 <= len(served) <= 254


def test_a_user_stays_with_the_version_that_served(
    versions: tuple[ModelVersion, ModelVersion],
) -> None:
    before = users_of(versions[1], 10)

    assert users_of(versions[1], 11) >= before
    assert users_of(versions[1], 10) == before


def test_a_share_of_all_serves_everybody(versions: tuple[ModelVersion, ModelVersion]) -> None:
    assert users_of(versions[1], 100) == set(USERS)


def test_another_candidate_is_tried_on_others(
    versions: tuple[ModelVersion, ModelVersion],
) -> None:
    third, _ = publish_version(release=make_release(), price=9)

    assert users_of(versions[1], 10) != users_of(third, 10)


def test_nobody_in_particular_and_who_names_a_version_get_what_they_ask_for(
    versions: tuple[ModelVersion, ModelVersion],
) -> None:
    first, second = versions
    set_candidate(version=second, share=100)
    forget_found_versions()

    assert find_version(slug="toy") == first
    assert find_version(slug="toy", user_id=AnonymousUser().pk) == first
    assert find_version(slug="toy", number=1, user_id=5) == first


def test_a_place_is_the_same_in_every_process() -> None:
    script = "from ml_models.models import place_of; print([place_of(n, 1, 2) for n in range(50)])"
    setup = "import django; django.setup(); "

    there = subprocess.run(
        [sys.executable, "-c", setup + script], check=True, capture_output=True, text=True
    )

    assert there.stdout.strip() == str([place_of(user, 1, 2) for user in range(50)])


def test_the_share_of_a_candidate_that_breaks_falls_back_to_stable(
    versions: tuple[ModelVersion, ModelVersion],
) -> None:
    first, second = versions
    set_candidate(version=second, share=100)

    break_version(version_id=second.pk, reason="gone")

    assert find_version(slug="toy", user_id=5) == first
    assert [one.number for one in listed_versions(user_id=5)] == [1]


def test_a_candidate_costs_no_further_query(
    versions: tuple[ModelVersion, ModelVersion],
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    set_candidate(version=versions[1], share=50)
    forget_found_versions()

    with django_assert_num_queries(1):
        served = {find_version(slug="toy", user_id=user).model.slug for user in range(20)}

    assert served == {"toy"}


def test_the_catalogue_shows_each_user_the_version_that_serves(
    versions: tuple[ModelVersion, ModelVersion],
) -> None:
    set_candidate(version=versions[1], share=100)

    assert listed_versions(user_id=5) == [versions[1]]
    assert listed_versions(user_id=None) == [versions[0]]
    assert MLModel.objects.get(slug="toy").version_for(5) == versions[1]
