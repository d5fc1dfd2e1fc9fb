"""A change of a version is heard by the web processes that listen, once it is committed."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import psycopg2
import pytest
from django.db import connection, transaction
from psycopg2.extensions import Notify
from pytest_django import Settings

from ml_models import services
from ml_models.models import ModelVersion
from ml_models.pointers import promote, set_candidate
from ml_models.selectors import CHANGES, find_version
from mlservice.lib.listening import Listener
from predictions import endings, waiting
from predictions.services import cancel_prediction
from predictions.waiting import Waiters, endings_in
from tests.conftest import make_prediction, make_user

SOON = 5


@pytest.fixture
def listener(transactional_db: None, own_database: None) -> Iterator[Listener]:
    listener = Listener([endings.CHANNEL, CHANGES])
    yield listener
    listener.close()


@pytest.fixture
def version(listener: Listener, published_version: ModelVersion) -> ModelVersion:
    """Make a version, and hear of that."""
    told_in_all(listener)
    return published_version


def told_in_all(listener: Listener) -> int:
    """Count what was told until now: what is said last is heard last."""
    with connection.cursor() as cursor:
        cursor.execute(f"NOTIFY {CHANGES}, 'last'")
    came: list[Notify] = []
    while not came or came[-1].payload != "last":
        heard = listener.wait(SOON)
        assert heard
        came += heard
    return len(came) - 1


def second_of(version: ModelVersion) -> ModelVersion:
    second = ModelVersion.objects.get(pk=version.pk)
    second.pk, second.number = None, 2
    second.save()
    return second


def price_of(version: ModelVersion) -> int:
    return find_version(slug=version.model.slug, number=version.number).price


CHANGE: dict[str, Callable[[ModelVersion], Any]] = {
    "a price": lambda version: services.set_price(version=version, price=7),
    "a multiplier": lambda version: services.set_explain_multiplier(version=version, multiplier=3),
    "retired": lambda version: services.retire_version(version=second_of(version)),
    "broken": lambda version: services.break_version(version_id=version.pk, reason="Gone."),
    "promoted": lambda version: promote(version=second_of(version)),
    "a candidate": lambda version: set_candidate(version=second_of(version), share=10),
}


@pytest.mark.parametrize("change", CHANGE.values(), ids=CHANGE)
def test_each_change_is_told_once(
    listener: Listener, version: ModelVersion, change: Callable[[ModelVersion], Any]
) -> None:
    change(version)

    assert told_in_all(listener) == 1


def test_a_version_that_is_mended_and_one_that_is_released_are_told(
    listener: Listener, version: ModelVersion
) -> None:
    draft = second_of(version)
    ModelVersion.objects.filter(pk=draft.pk).update(status=ModelVersion.Status.DRAFT)
    services.break_version(version_id=version.pk, reason="Gone.")
    told_in_all(listener)

    version.refresh_from_db()
    services.check_again(version=version)
    assert told_in_all(listener) == 1
    services.release_draft(version=draft)

    assert told_in_all(listener) == 1


def test_a_change_is_told_when_it_is_committed_and_not_before(
    listener: Listener, version: ModelVersion
) -> None:
    with transaction.atomic():
        services.set_price(version=version, price=7)
        assert listener.wait(0.2) == []

    assert told_in_all(listener) == 1


def test_a_change_that_is_rolled_back_is_not_told(
    listener: Listener, version: ModelVersion
) -> None:
    with transaction.atomic():
        services.set_price(version=version, price=7)
        transaction.set_rollback(True)

    assert told_in_all(listener) == 0


class Told(Listener):
    """Connects to nothing: says what it was given, does what was asked, and then breaks."""

    def __init__(self, *came: list[Notify], meanwhile: Callable[[], None]) -> None:
        self.came = list(came)
        self.meanwhile = meanwhile

    def wait(self, seconds: float) -> list[Notify]:
        self.meanwhile()
        if not self.came:
            raise psycopg2.OperationalError("It is away.")
        return self.came.pop(0)

    def close(self) -> None:
        pass


@pytest.mark.parametrize(("channel", "price"), [(CHANGES, 7), (endings.CHANNEL, 1)])
def test_who_hears_it_reads_the_version_anew(
    version: ModelVersion, settings: Settings, channel: str, price: int
) -> None:
    settings.VERSION_CACHE_SECONDS = 5
    seen = []

    def change_as_another_process() -> None:
        seen.append(price_of(version))
        ModelVersion.objects.update(price=7)

    told = Told([Notify(1, channel, "")], meanwhile=change_as_another_process)
    with pytest.raises(psycopg2.OperationalError):
        Waiters()._wake_until_it_breaks(told)

    assert seen == [1, price]


def test_what_was_read_before_a_change_was_heard_of_is_not_kept(
    version: ModelVersion, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.VERSION_CACHE_SECONDS = 5
    read = ModelVersion.objects.select_related("model").get

    def read_and_hear(slug: str, number: int) -> ModelVersion:
        found = read(model__slug=slug, number=number)
        services.set_price(version=version, price=7)
        return found

    with monkeypatch.context() as slow:
        slow.setattr("ml_models.selectors._read_version", read_and_hear)
        assert price_of(version) == 1

    assert price_of(version) == 7


def test_endings_are_read_from_their_own_channel(listener: Listener, version: ModelVersion) -> None:
    prediction = make_prediction(make_user("alice", credits=10))
    with transaction.atomic():
        services.set_price(version=version, price=7)
        cancel_prediction(prediction=prediction)

    came = listener.wait(SOON)

    assert {one.channel for one in came} == {endings.CHANNEL, CHANGES}
    assert endings_in(came) == endings.ended([prediction.pk]) != []


def test_the_thread_of_those_who_wait_listens_for_both(monkeypatch: pytest.MonkeyPatch) -> None:
    class Listened(BaseException):
        """Says which channels were listened to."""

    def listen(channels: Sequence[str]) -> None:
        raise Listened(*channels)

    monkeypatch.setattr(waiting, "Listener", listen)

    with pytest.raises(Listened) as listened:
        Waiters()._listen()

    assert set(listened.value.args) == {endings.CHANNEL, CHANGES}
