"""A child that is through with its work listens for a moment, and needs no message for more."""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from threading import Thread
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import psycopg2
import pytest
from django.db import connection
from django.db.models.functions import Now
from structlog.contextvars import bound_contextvars, get_contextvars

from accounts.models import User
from mlservice.lib.ids import new_id
from mlservice.lib.listening import Listener
from predictions import dispatch, runner, staying
from predictions.dispatch import mark_group, take_group
from predictions.lanes import BULK, INTERACTIVE, Lane
from predictions.models import Prediction
from predictions.services import Claim
from predictions.staying import AGAIN_SECONDS, LOOK_SECONDS, Stay
from predictions.submitting import submitted
from tests.conftest import make_prediction

LONG_SECONDS = 20.0
CHILD = "worker@host/10"

pytestmark = pytest.mark.usefixtures("published_version")


@pytest.fixture(autouse=True)
def spare(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Listener]]:
    """Let a test have connections of its own, and hear again whatever it did."""
    kept: list[Listener] = []
    monkeypatch.setattr(Stay, "spare", kept)
    monkeypatch.setattr(Stay, "deaf_until", float("-inf"))
    yield kept
    for listener in kept:
        listener.close()


class Heard:
    """A listener that is woken as said, and then no more; it tells how long it would have waited.

    When it is not woken, time passes without anybody waiting for it.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, answers: Sequence[bool] = ()) -> None:
        self.answers, self.asked = list(answers), list[float]()
        self.passed = 0.0
        monkeypatch.setattr(Stay, "listening", lambda stay: self)
        clock = SimpleNamespace(monotonic=lambda: self.passed, perf_counter=time.perf_counter)
        monkeypatch.setattr(staying, "time", clock)

    def wait(self, seconds: float) -> list[Any]:
        self.asked.append(seconds)
        is_woken = self.answers.pop(0) if self.answers else False
        self.passed += 0 if is_woken else seconds
        return [submitted.channel] if is_woken else []


def a_stay(lane: Lane | None = INTERACTIVE) -> Stay:
    return Stay(lane, group_id=new_id(), claimed_by=CHILD)


def run_on(prediction: Prediction, lane: Lane = INTERACTIVE) -> int:
    group_id = new_id()
    Prediction.objects.filter(pk=prediction.pk).update(group_id=group_id, published_at=Now())
    return runner.run([prediction.pk], group_id=group_id, claimed_by=CHILD, lane=lane)


def taken(stay: Stay) -> list[UUID]:
    return [one.id for one in stay.take_what_comes()]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("own_database")
def test_it_takes_what_is_accepted_while_it_listens(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submitted, "sent_at", float("-inf"))
    for name in ("GO_ON_SECONDS", "LISTEN_SECONDS", "LOOK_SECONDS"):
        monkeypatch.setattr(staying, name, LONG_SECONDS)
    monkeypatch.setattr(staying, "at_most", lambda: LONG_SECONDS)
    looked = dispatch.a_message_waits
    others: list[Thread] = []

    def accept() -> None:
        make_prediction(alice)
        connection.close()

    def look_while_another_is_accepted() -> bool:
        if others:
            return True
        others.append(Thread(target=accept))
        others[0].start()
        return looked()

    monkeypatch.setattr(staying, "a_message_waits", look_while_another_is_accepted)
    first = make_prediction(alice)
    began = time.monotonic()

    settled = run_on(first)
    others[0].join()

    assert settled == 2
    assert time.monotonic() - began < LONG_SECONDS
    assert set(Prediction.objects.values_list("status", "claimed_by")) == {("succeeded", CHILD)}


def test_it_looks_once_unwoken_for_a_wake_up_may_stand_for_several_commits(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = Heard(monkeypatch)
    waits = make_prediction(alice)

    assert taken(a_stay()) == [waits.pk]
    assert heard.asked == [AGAIN_SECONDS]


def test_who_is_woken_in_vain_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = Heard(monkeypatch, [False, False, True, True])

    assert taken(a_stay()) == []
    assert heard.asked == [AGAIN_SECONDS, LOOK_SECONDS, LOOK_SECONDS]


def test_who_hears_nothing_leaves_after_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = Heard(monkeypatch)

    assert taken(a_stay()) == []
    assert sum(heard.asked) == pytest.approx(AGAIN_SECONDS + staying.LISTEN_SECONDS)
    assert max(heard.asked) == LOOK_SECONDS


def test_it_leaves_when_a_message_waits_that_it_may_have_to_take(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = Heard(monkeypatch)
    make_prediction(alice)
    mark_group(new_id(), max_rows=1)

    assert taken(a_stay()) == []
    assert heard.asked == [AGAIN_SECONDS]


def test_it_leaves_for_a_message_that_is_published_while_it_listens(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = Heard(monkeypatch)
    looks = iter([False, False, True])
    monkeypatch.setattr(staying, "a_message_waits", lambda: next(looks))

    assert taken(a_stay()) == []
    assert heard.asked == [AGAIN_SECONDS, LOOK_SECONDS, LOOK_SECONDS]


@pytest.mark.parametrize("lane", [BULK, None])
def test_in_bulk_or_without_a_lane_nobody_stays(
    alice: User, monkeypatch: pytest.MonkeyPatch, lane: Lane | None
) -> None:
    heard = Heard(monkeypatch)
    make_prediction(alice)

    assert taken(a_stay(lane)) == []
    assert heard.asked == []


def test_a_message_that_brings_nothing_makes_nobody_stay(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = Heard(monkeypatch)
    done = make_prediction(alice)
    Prediction.objects.filter(pk=done.pk).update(status="processing")

    assert run_on(done) == 0
    assert heard.asked == []


def test_when_its_time_is_over_it_neither_listens_nor_takes(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = Heard(monkeypatch)
    make_prediction(alice)
    stay = a_stay()
    heard.passed = staying.at_most() + 0.001

    assert taken(stay) == []
    assert heard.asked == []


@pytest.mark.parametrize(("limit", "seconds"), [(25, 1.0), (20, 1.0), (2, 0.1)])
def test_its_time_is_a_small_part_of_what_a_prediction_may_take(
    settings: Any, limit: int, seconds: float
) -> None:
    settings.CELERY_TASK_SOFT_TIME_LIMIT = limit

    assert staying.at_most() == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("published_ago", "gives_way", "is_taken"),
    [(60.0, True, False), (-60.0, True, True), (60.0, False, True)],
)
def test_who_gives_way_takes_nothing_while_a_message_waits(
    alice: User, published_ago: float, gives_way: bool, is_taken: bool
) -> None:
    make_prediction(alice)
    mark_group(new_id(), max_rows=1)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE predictions_prediction"
            " SET published_at = clock_timestamp() - make_interval(secs => %s)",
            [published_ago],
        )
    waits = make_prediction(alice)

    claims = take_group(INTERACTIVE, group_id=new_id(), claimed_by=CHILD, gives_way=gives_way)

    assert [one.id for one in claims] == ([waits.pk] if is_taken else [])
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


def test_its_lines_name_nobody_whose_prediction_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    Heard(monkeypatch)
    with bound_contextvars(request_ids=["asked-before"], group_id="group"):
        taken(a_stay())

        assert get_contextvars() == {"group_id": "group"}


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("own_database")
def test_its_connection_hears_nothing_once_it_has_left_and_serves_the_next(
    spare: list[Listener],
) -> None:
    def channels(listener: Listener) -> list[str]:
        with listener.connection.cursor() as cursor:
            cursor.execute("SELECT pg_listening_channels()")
            return [name for (name,) in cursor.fetchall()]

    with closing(a_stay()) as first:
        used = first.listening()
        assert used
        assert channels(used) == [submitted.channel]
    assert (spare, channels(used)) == ([used], [])

    with closing(a_stay()) as second:
        assert (second.listening(), spare) == (used, [])
        assert channels(used) == [submitted.channel]
    assert spare == [used]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("own_database")
@pytest.mark.parametrize("is_meanwhile", [False, True])
def test_a_connection_that_is_lost_is_not_used_again(
    spare: list[Listener], is_meanwhile: bool
) -> None:
    with closing(a_stay()) as stay:
        lost = stay.listening()
        assert lost
        if is_meanwhile:
            lost.close()
            assert taken(stay) == []
            assert stay.listener is None
    if not is_meanwhile:
        lost.close()
        with closing(a_stay()) as stay:
            assert taken(stay) == []

    assert Stay.deaf_until > time.monotonic()
    Stay.deaf_until = float("-inf")
    with closing(a_stay()) as stay:
        assert stay.listening() not in (None, lost)
    assert lost not in spare


def test_who_cannot_listen_takes_what_waits_and_does_not_try_again_at_once(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[Any] = []

    def refuse(channels: Any) -> Listener:
        tries.append(channels)
        raise psycopg2.OperationalError("the server is away")

    monkeypatch.setattr(staying, "Listener", refuse)
    waits = make_prediction(alice)

    with closing(a_stay()) as stay:
        assert taken(stay) == []
    with closing(a_stay()) as stay:
        assert taken(stay) == [waits.pk]
        assert taken(stay) == []
    assert len(tries) == 1
