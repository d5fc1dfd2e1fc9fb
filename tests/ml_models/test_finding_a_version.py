"""Goal: a version is found by slug and number, or by the pointer, and soon follows a move."""

import os
import subprocess
import sys
import time

import pytest
from django.utils import translation
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks, Settings

from ml_models.errors import ModelNotFound, VersionRetired
from ml_models.models import MLModel, ModelVersion
from ml_models.pointers import promote
from ml_models.selectors import find_version, forget_found_versions, listed_models
from ml_models.services import publish_version, retire_version, set_price
from tests.ml_models.builders import make_release, make_version

pytestmark = pytest.mark.django_db


def test_the_stable_version_serves_who_names_none() -> None:
    make_version()
    second, _ = publish_version(release=make_release(), price=7)
    promote(version=second)

    assert find_version(slug="toy") == second


def test_a_version_is_found_by_its_number() -> None:
    make_version()
    second, _ = publish_version(release=make_release(), price=7)

    assert find_version(slug="toy", number=2) == second


@pytest.mark.parametrize(("slug", "number"), [("toy", 3), ("toy", 0), ("other", None)])
def test_what_was_never_published_is_not_found(slug: str, number: int | None) -> None:
    make_version()

    with pytest.raises(ModelNotFound):
        find_version(slug=slug, number=number)


def test_a_model_without_a_stable_version_is_neither_listed_nor_found() -> None:
    MLModel.objects.create(slug="empty", title="Empty")

    assert not listed_models().exists()
    with pytest.raises(ModelNotFound):
        find_version(slug="empty")


def test_a_retired_version_says_so() -> None:
    make_version()
    second, _ = publish_version(release=make_release(), price=7)
    retire_version(version=second)

    with pytest.raises(VersionRetired):
        find_version(slug="toy", number=2)


def test_a_version_found_lately_asks_no_query(
    settings: Settings, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    settings.VERSION_CACHE_SECONDS = 5
    make_version()
    find_version(slug="toy")

    with django_assert_num_queries(0):
        assert find_version(slug="toy").model.slug == "toy"


def test_a_moved_pointer_is_followed_when_the_cache_runs_out(settings: Settings) -> None:
    settings.VERSION_CACHE_SECONDS = 0.05
    first = make_version()
    second, _ = publish_version(release=make_release(), price=7)
    find_version(slug="toy")
    promote(version=second)

    assert find_version(slug="toy") == first
    time.sleep(0.06)

    assert find_version(slug="toy") == second


def test_a_price_set_in_another_process_holds_when_the_cache_runs_out(settings: Settings) -> None:
    settings.VERSION_CACHE_SECONDS = 0.05
    version = make_version(price=3)
    find_version(slug="toy")
    find_version(slug="toy", number=1)
    # What this process forgets on commit is not forgotten here: nothing commits in a test.
    set_price(version=version, price=8)

    assert find_version(slug="toy").price == 3
    time.sleep(0.06)

    assert {find_version(slug="toy", number=number).price for number in (None, 1)} == {8}


def test_a_version_is_remembered_for_at_most_five_seconds(settings: Settings) -> None:
    assert 0 < settings.VERSION_CACHE_SECONDS <= 5


@pytest.mark.parametrize("seconds", ["5.1", "-1"])
def test_a_longer_memory_is_refused_at_start(seconds: str) -> None:
    environment = os.environ | {"VERSION_CACHE_SECONDS": seconds}

    started = subprocess.run(
        [sys.executable, "-c", "import mlservice.settings"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert started.returncode != 0
    assert "VERSION_CACHE_SECONDS must be 0 to 5" in started.stderr


def test_a_process_follows_its_own_move_at_once(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    make_version()
    second, _ = publish_version(release=make_release(), price=7)
    forget_found_versions()
    find_version(slug="toy")

    with django_capture_on_commit_callbacks(execute=True):
        promote(version=second)

    assert find_version(slug="toy") == second


def test_listing_asks_one_query_however_many_models_there_are(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for place in range(5):
        make_version(slug=f"toy-{place}")

    with django_assert_num_queries(1):
        stable = [model.stable for model in listed_models()]

    assert len(stable) == 5
    assert all(isinstance(version, ModelVersion) for version in stable)


def test_a_title_speaks_the_language_in_use() -> None:
    model = make_version().model

    with translation.override("ru"):
        assert model.local_title == "Игрушка"
        assert model.local_description == "A line"
    with translation.override("en"):
        assert model.local_title == "Toy"
