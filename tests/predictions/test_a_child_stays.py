"""A child that is through with its work listens for a moment, and needs no message for more."""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from threading import Thread
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import msgspec
import psycopg2
import pytest
from django.db import connection
from django.db.models.functions import Now

from accounts.models import User
from mlservice.lib.ids import new_id
from mlservice.lib.listening import Listener
from predictions import endings, relay, runner, staying
from predictions.dispatch import mark_group, take_group
from predictions.endings import Ending
from predictions.lanes import BULK, INTERACTIVE, Lane
from predictions.models import Prediction
from predictions.relay import HEAD_START_SECONDS, Relay
from predictions.services import Claim
from predictions.staying import Stay
from predictions.submitting import submitted
from tests.conftest import make_prediction

LONG_SECONDS = 20.0
CHILD = "worker@host/10"

pytestmark = pytest.mark.usefixtures("published_version")


@pytest.fixture(autouse=True)
def no_spare(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Listener]]:
    spare: list[Listener] = []
    monkeypatch.setattr(staying, "_spare", spare)
    yield spare
    for listener in spare:
        listener.close()


@pytest.fixture
def long_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GO_ON_SECONDS", "AT_MOST_SECONDS", "LISTEN_SECONDS"):
        monkeypatch.setattr(staying, name, LONG_SECONDS)


def a_stay(lane: Lane | None = INTERACTIVE) -> Stay:
    return Stay(lane, group_id=new_id(), claimed_by=CHILD)


def run_on(prediction: Prediction, lane: Lane = INTERACTIVE) -> int:
    group_id = new_id()
    Prediction.objects.filter(pk=prediction.pk).update(group_id=group_id, published_at=Now())
    return runner.run([prediction.pk], group_id=group_id, claimed_by=CHILD, lane=lane)


def ids(stay: Stay) -> list[UUID]:
    return [one.id for one in stay.wait()]


def woken(monkeypatch: pytest.MonkeyPatch, answers: Sequence[bool] = ()) -> list[float]:
    """Have a child that listens be woken as said, and never after; tell how long it would have."""
    asked: list[float] = []

    def is_woken(self: Stay, seconds: float) -> bool:
        asked.append(seconds)
        return len(asked) <= len(answers) and answers[len(asked) - 1]

    monkeypatch.setattr(Stay, "is_woken", is_woken)
    return asked


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("own_database", "long_stay")
def test_it_takes_what_is_accepted_while_it_listens(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submitted, "sent_at", float("-inf"))
    listening = Stay.is_woken
    accepted: list[Prediction] = []

    def accept() -> None:
        accepted.append(make_prediction(alice))
        connection.close()

    def is_woken(self: Stay, seconds: float) -> bool:
        if seconds < LONG_SECONDS or accepted:
            return listening(self, staying.LOOK_SECONDS)
        other = Thread(target=accept)
        other.start()
        heard = listening(self, seconds)
        other.join()
        return heard

    monkeypatch.setattr(Stay, "is_woken", is_woken)
    first = make_prediction(alice)
    began = time.monotonic()

    assert run_on(first) == 2

    assert time.monotonic() - began < LONG_SECONDS
    assert set(Prediction.objects.values_list("status", "claimed_by")) == {("succeeded", CHILD)}


def test_it_looks_once_unwoken_for_a_wake_up_may_stand_for_several_commits(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = woken(monkeypatch)
    waits = make_prediction(alice)

    assert ids(a_stay()) == [waits.pk]
    assert asked == [staying.LOOK_SECONDS]


def test_who_is_woken_in_vain_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = woken(monkeypatch, [False, True, True, True])

    assert ids(a_stay()) == []
    assert asked == [staying.LOOK_SECONDS, staying.LISTEN_SECONDS]


def test_who_hears_nothing_leaves_without_another_look(
    monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    woken(monkeypatch)

    with django_assert_num_queries(1):
        assert ids(a_stay()) == []


@pytest.mark.parametrize("lane", [BULK, None])
def test_in_bulk_or_without_a_lane_nobody_stays(
    alice: User, monkeypatch: pytest.MonkeyPatch, lane: Lane | None
) -> None:
    make_prediction(alice)
    stay = a_stay(lane)

    assert ids(stay) == []
    assert (stay.listener, stay.is_woken(LONG_SECONDS)) == (None, False)


def test_a_message_that_brings_nothing_makes_nobody_stay(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = woken(monkeypatch)
    done = make_prediction(alice)
    Prediction.objects.filter(pk=done.pk).update(status="processing")

    assert run_on(done) == 0
    assert asked == []


def test_when_its_time_is_over_it_neither_listens_nor_takes(alice: User) -> None:
    make_prediction(alice)
    stay = a_stay()
    stay.began -= staying.AT_MOST_SECONDS

    assert (ids(stay), stay.listener) == ([], None)


@pytest.mark.parametrize(
    ("published_ago", "gives_way", "is_taken"),
    [(1.0, True, False), (0.0, True, True), (1.0, False, True)],
)
def test_who_gives_way_takes_nothing_while_a_message_waits(
    alice: User, published_ago: float, gives_way: bool, is_taken: bool
) -> None:
    make_prediction(alice)
    mark_group(new_id(), max_rows=1)
    with connection.cursor() as cursor:
        # What is published in this transaction has the clock's time, not the transaction's.
        cursor.execute(
            "UPDATE predictions_prediction"
            " SET published_at = clock_timestamp() - make_interval(secs => %s)",
            [published_ago],
        )
    waits = make_prediction(alice)

    taken = take_group(INTERACTIVE, group_id=new_id(), claimed_by=CHILD, gives_way=gives_way)

    assert [one.id for one in taken] == ([waits.pk] if is_taken else [])
    assert Prediction.objects.filter(pk=waits.pk, status="starting").exists() is not is_taken


@pytest.mark.parametrize("lasted", [0.0, 0.5])
def test_it_gives_way_after_a_moment(monkeypatch: pytest.MonkeyPatch, lasted: float) -> None:
    asked: list[bool] = []

    def take_nothing(lane: Lane, *, gives_way: bool, **whose: Any) -> list[Claim]:
        asked.append(gives_way)
        return []

    monkeypatch.setattr(staying, "take_group", take_nothing)
    stay = a_stay()
    stay.began -= lasted

    assert stay.take() == []
    assert asked == [lasted > staying.GO_ON_SECONDS]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("own_database")
def test_its_connection_hears_nothing_once_it_has_left_and_serves_the_next(
    no_spare: list[Listener],
) -> None:
    def channels(listener: Listener) -> list[str]:
        with listener.connection.cursor() as cursor:
            cursor.execute("SELECT pg_listening_channels()")
            return [name for (name,) in cursor.fetchall()]

    with a_stay() as first:
        first.is_woken(0)
        used = first.listener
        assert used
        assert channels(used) == [submitted.channel]
    assert (no_spare, channels(used)) == ([used], [])

    with a_stay() as second:
        second.is_woken(0)
        assert (second.listener, no_spare) == (used, [])
        assert channels(used) == [submitted.channel]
    assert no_spare == [used]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("own_database")
@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_a_connection_that_is_lost_ends_a_stay_and_is_not_used_again(
    no_spare: list[Listener], when: str
) -> None:
    with a_stay() as stay:
        stay.is_woken(0)
        lost = stay.listener
        assert lost
        if when == "meanwhile":
            lost.close()
            assert not stay.is_woken(LONG_SECONDS)
    if when == "before":
        lost.close()

    with a_stay() as stay:
        assert not stay.is_woken(0)
    with a_stay() as stay:
        stay.is_woken(0)
        assert stay.listener not in (None, lost)
    assert lost not in no_spare


def test_a_database_that_is_away_ends_a_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(channels: Any) -> Listener:
        raise psycopg2.OperationalError("the server is away")

    monkeypatch.setattr(staying, "Listener", refuse)

    with a_stay() as stay:
        assert ids(stay) == []


def finished(seconds: float | None) -> str:
    """Spell out what a child says that needed so long to predict."""
    end = Ending(new_id(), "succeeded", "[]", "", "", 1, seconds, None, datetime.now(UTC), None)
    return msgspec.json.encode([end]).decode()


@pytest.mark.parametrize(
    ("seconds", "looks_again", "has_head_start"),
    [
        (HEAD_START_SECONDS / 2, True, True),
        (HEAD_START_SECONDS / 2, False, False),
        (HEAD_START_SECONDS * 2, True, False),
        (None, True, False),
    ],
)
def test_the_relay_leaves_a_moment_to_a_child_that_has_just_been_through(
    monkeypatch: pytest.MonkeyPatch,
    seconds: float | None,
    looks_again: bool,
    has_head_start: bool,
) -> None:
    """Where it predicts in less; else the others are called at once."""
    one, waited = Relay(), list[float]()
    said = [SimpleNamespace(channel=endings.CHANNEL, payload=finished(seconds))]
    if looks_again:
        said.append(SimpleNamespace(channel=submitted.channel, payload=""))

    def hear(seconds: float) -> list[Any]:
        if said:
            return [said.pop(0)]
        time.sleep(seconds)
        return []

    one.listener = cast(Listener, SimpleNamespace(wait=hear))
    monkeypatch.setattr(relay, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(one, "reap", lambda: None)
    monkeypatch.setattr(one, "publish_windows", lambda: None)
    monkeypatch.setattr(one.stopped, "wait", waited.append)

    one.turn()

    assert waited == ([HEAD_START_SECONDS] if has_head_start else [])


def test_what_had_no_room_in_the_wake_up_gives_nobody_a_head_start() -> None:
    one = Relay()

    one.note_served([""])
    one.note_served([])

    assert one.served_until < time.monotonic()


def test_who_stays_no_longer_has_no_head_start() -> None:
    one = Relay()

    one.note_served([finished(HEAD_START_SECONDS / 2)])

    assert 0 < one.served_until - time.monotonic() <= staying.LISTEN_SECONDS
