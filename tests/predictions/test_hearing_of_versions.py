"""A change of a version is heard by the web processes that listen, once it is committed."""

from collections.abc import Iterator, Sequence

import pytest
from django.db import transaction
from pytest_django import Settings

from ml_models import changes
from ml_models.models import ModelVersion
from ml_models.selectors import find_version
from ml_models.services import break_version, set_price
from mlservice.lib.listening import Listener
from predictions import endings, waiting
from predictions.waiting import Waiters, heard

SOON = 5


@pytest.fixture
def listener(transactional_db: None, own_database: None) -> Iterator[Listener]:
    listener = Listener([endings.CHANNEL, changes.CHANNEL])
    yield listener
    listener.close()


@pytest.fixture(autouse=True)
def version(listener: Listener, published_version: ModelVersion) -> ModelVersion:
    """Make a version, and hear of that."""
    assert listener.wait(SOON)
    return published_version


def price_of(version: ModelVersion) -> int:
    return find_version(slug=version.model.slug, number=version.number).price


def test_a_change_is_told_when_it_is_committed(listener: Listener, version: ModelVersion) -> None:
    with transaction.atomic():
        set_price(version=version, price=7)
        assert listener.wait(0.2) == []

    assert len(listener.wait(SOON)) == 1


def test_a_change_that_is_rolled_back_is_not_told(
    listener: Listener, version: ModelVersion
) -> None:
    with transaction.atomic():
        set_price(version=version, price=7)
        transaction.set_rollback(True)

    assert listener.wait(0.2) == []


def test_a_version_that_broke_is_told(listener: Listener, version: ModelVersion) -> None:
    assert break_version(version_id=version.pk, reason="It is gone.")

    assert len(listener.wait(SOON)) == 1


def test_who_hears_it_reads_the_version_anew(
    listener: Listener, version: ModelVersion, settings: Settings
) -> None:
    settings.VERSION_CACHE_SECONDS = 5
    set_price(version=version, price=2)
    told = listener.wait(SOON)
    assert price_of(version) == 2
    # As another process changes it: nothing is forgotten here.
    ModelVersion.objects.update(price=7)
    assert price_of(version) == 2

    assert heard(told) == []

    assert price_of(version) == 7


def test_endings_are_told_of_beside_it(listener: Listener, version: ModelVersion) -> None:
    set_price(version=version, price=7)
    [told] = listener.wait(SOON)
    empty = type(told)(told.pid, endings.CHANNEL, "")

    assert heard([told, empty]) is None


def test_the_thread_of_those_who_wait_listens_for_both(monkeypatch: pytest.MonkeyPatch) -> None:
    class Listened(Exception):
        """Says which channels were listened to."""

    def listen(channels: Sequence[str]) -> None:
        raise Listened(*channels)

    monkeypatch.setattr(waiting, "Listener", listen)

    with pytest.raises(Listened) as listened:
        Waiters()._listen()

    assert set(listened.value.args) == {endings.CHANNEL, changes.CHANNEL}
