"""Goal: a wake-up tells how predictions ended, as the table says it, or leaves it to the table.

Method: real settlements are heard by a real listener; whoever waits is told by one alone.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from threading import Event
from typing import Any
from uuid import UUID

import msgspec
import pytest
from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils import timezone
from psycopg2.extensions import Notify

from accounts.models import User
from ml_models.models import ModelVersion
from mlservice.lib.ids import new_id
from mlservice.lib.listening import Listener
from mlservice.lib.prepared import run_in_turn
from predictions import endings, runner, waiting
from predictions.endings import CHANNEL, FIELDS, ROOM_BYTES, Ending
from predictions.models import Prediction
from predictions.services import Outcome, cancel_prediction, claim, settle
from predictions.submitting import prepare_submission
from predictions.waiting import Waiters, submit_and_wait
from tests.conftest import make_prediction
from tests.races.threads import at_once, results

pytestmark = pytest.mark.django_db(transaction=True)

LONG_SECONDS = 20
NEVER_SECONDS = 60.0
ODD_TEXTS = [
    'a "quoted" \'word\' and a \\ and {"json": [1, null]}',
    "Кириллица, ё и №",
    "a gem \N{GEM STONE} and a family \N{MAN}\u200d\N{WOMAN}",
    r"\u0000 \x00 \ud800 \n",
    "lines\r\n\tand\u2028separators\x01\x7f",
]


@pytest.fixture
def listener(own_database: None) -> Iterator[Listener]:
    listener = Listener([CHANNEL])
    yield listener
    listener.close()


def payloads(listener: Listener, count: int = 1) -> list[str]:
    said: list[str] = []
    until = time.monotonic() + LONG_SECONDS
    while len(said) < count and time.monotonic() < until:
        said += [one.payload for one in listener.wait(LONG_SECONDS)]
    return said


def told(listener: Listener) -> list[Ending] | None:
    return endings.heard(payloads(listener))


def assert_nothing_is_told(listener: Listener) -> None:
    """Say something, and hear it first: what was said before would have come before it."""
    with connection.cursor() as cursor:
        cursor.execute(f"NOTIFY {CHANNEL}, 'now'")
    assert payloads(listener) == ["now"]


def by_id(found: Sequence[Ending] | None) -> list[Ending]:
    assert found is not None
    return sorted(found, key=lambda ending: ending.id)


def stored(prediction_ids: Sequence[UUID]) -> list[Ending]:
    """Read the endings without the statement that the listener thread reads them by."""
    rows = Prediction.objects.filter(pk__in=prediction_ids).order_by("pk")
    return [Ending(*row) for row in rows.values_list("id", *FIELDS)]


def outcome(prediction: Prediction, status: str = "succeeded", **fields: Any) -> Outcome:
    (claimed,) = claim([prediction.pk])
    if status == "succeeded":
        fields = {"cost": 1, "output": "[1.5]", "predict_seconds": 0.1 + 0.2} | fields
    return Outcome(claimed.id, claimed.attempt, status, **fields)


def assert_told_as_stored(listener: Listener, prediction_ids: Sequence[UUID]) -> list[Ending]:
    """Compare what is heard with what is read, by both ways to read it; return it."""
    heard = by_id(told(listener))
    assert heard == by_id(endings.ended(prediction_ids)) == stored(prediction_ids)
    assert [ending.id for ending in heard] == sorted(prediction_ids)
    return heard


def test_what_succeeded_is_told_as_stored(
    alice: User, published_version: ModelVersion, listener: Listener
) -> None:
    prediction = make_prediction(alice)

    runner.run([prediction.pk])

    [ending] = assert_told_as_stored(listener, [prediction.pk])
    assert (ending.status, ending.cost, ending.error_code) == ("succeeded", 1, "")
    assert ending.predict_seconds is not None
    assert ending.started_at is not None
    assert ending.completed_at > ending.started_at


def test_what_failed_is_told_as_stored(
    alice: User, published_version: ModelVersion, listener: Listener
) -> None:
    prediction = make_prediction(alice)

    settle([outcome(prediction, "failed", error="It broke.", error_code="prediction_failed")])

    [ending] = assert_told_as_stored(listener, [prediction.pk])
    assert (ending.status, ending.output, ending.cost) == ("failed", None, 0)
    assert (ending.error, ending.error_code) == ("It broke.", "prediction_failed")


def test_what_was_canceled_while_it_ran_is_told_as_stored(
    alice: User, published_version: ModelVersion, listener: Listener
) -> None:
    prediction = make_prediction(alice)
    done = outcome(prediction)
    cancel_prediction(prediction=prediction)
    # What runs has not ended by that.
    assert_nothing_is_told(listener)

    settle([done])

    [ending] = assert_told_as_stored(listener, [prediction.pk])
    assert (ending.status, ending.output, ending.cost) == ("canceled", None, 0)
    assert ending.cancel_requested_at is not None


def test_what_was_canceled_while_it_waited_is_told_as_stored(
    alice: User, published_version: ModelVersion, listener: Listener
) -> None:
    prediction = make_prediction(alice)

    cancel_prediction(prediction=prediction)

    [ending] = assert_told_as_stored(listener, [prediction.pk])
    assert (ending.status, ending.started_at) == ("canceled", None)


def test_what_failed_past_its_deadline_is_told_as_canceled(
    alice: User, published_version: ModelVersion, listener: Listener
) -> None:
    prediction = make_prediction(alice, cancel_after_seconds=60)
    done = outcome(prediction, "failed", error="It broke.", error_code="prediction_failed")
    Prediction.objects.filter(pk=prediction.pk).update(deadline=Now() - timedelta(seconds=1))

    settle([done])

    [ending] = assert_told_as_stored(listener, [prediction.pk])
    assert (ending.status, ending.error, ending.error_code) == ("canceled", "", "")
    assert ending.cancel_requested_at is None


def test_explained_rows_and_broken_ones_are_told_as_stored(
    alice: User, published_version: ModelVersion, listener: Listener
) -> None:
    row = published_version.example
    rows = [row, {**row, "cut": "Superb"}, {**row, "carat": 40.0}]
    prediction = make_prediction(alice, input=rows, explain=True)

    runner.run([prediction.pk])

    [ending] = assert_told_as_stored(listener, [prediction.pk])
    assert ending.output is not None
    assert "contributions" in ending.output
    assert ending.output == Prediction.objects.get().output


def test_a_group_is_told_in_one_wake_up(
    alice: User, bob: User, published_version: ModelVersion, listener: Listener
) -> None:
    ours = [make_prediction(user) for user in (alice, bob, alice)]
    done = [outcome(ours[0]), outcome(ours[1], "failed", error_code="x"), outcome(ours[2])]

    settle(done)

    assert_told_as_stored(listener, [prediction.pk for prediction in ours])
    assert listener.wait(0) == []


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_odd_text_is_told_as_stored(
    alice: User, published_version: ModelVersion, listener: Listener, text: str
) -> None:
    good, bad = make_prediction(alice), make_prediction(alice)

    settle([outcome(good, output=text), outcome(bad, "failed", error=text)])

    first, second = assert_told_as_stored(listener, [good.pk, bad.pk])
    assert (first.output, second.error) == (text, text)


def test_endings_without_room_are_left_to_the_table(
    alice: User, published_version: ModelVersion, listener: Listener
) -> None:
    ours = [make_prediction(alice) for _ in range(2)]
    half = "x" * (ROOM_BYTES // 2)

    settled = settle([outcome(prediction, output=half) for prediction in ours])

    said = payloads(listener)
    assert (settled, said) == (2, [""])
    assert endings.heard(said) is None
    ended = by_id(endings.ended([prediction.pk for prediction in ours]))
    assert [(ending.status, ending.output) for ending in ended] == [("succeeded", half)] * 2


def test_room_is_counted_in_bytes(
    alice: User, published_version: ModelVersion, listener: Listener
) -> None:
    ours = [make_prediction(alice) for _ in range(2)]
    fits, does_not = "ж" * (ROOM_BYTES // 2 - 500), "ж" * (ROOM_BYTES // 2 + 1)

    for prediction, text in zip(ours, (fits, does_not), strict=True):
        settle([outcome(prediction, output=text)])

    first, second = payloads(listener, 2)
    assert len(does_not) < ROOM_BYTES
    assert second == ""
    heard = endings.heard([first])
    assert heard is not None
    assert heard[0].output == fits


@pytest.mark.parametrize(("more", "is_told"), [(0, True), (1, False)])
def test_the_last_byte_of_room_is_used(listener: Listener, more: int, is_told: bool) -> None:
    bare = len(msgspec.json.encode([make_ending()]))
    ending = make_ending(error="x" * (ROOM_BYTES - bare + more))

    run_in_turn(*endings.announcing([ending]))

    assert told(listener) == ([ending] if is_told else None)


def make_ending(*, error: str = "") -> Ending:
    return Ending(
        id=UUID(int=1),
        status="failed",
        output=None,
        error=error,
        error_code="",
        cost=0,
        predict_seconds=None,
        started_at=None,
        completed_at=timezone.now().replace(microsecond=1),
        cancel_requested_at=None,
    )


def test_of_several_wake_ups_one_without_room_leaves_all_to_the_table(
    alice: User, published_version: ModelVersion, listener: Listener
) -> None:
    for output in ("[1]", "x" * ROOM_BYTES, "[2]"):
        settle([outcome(make_prediction(alice), output=output)])

    said = payloads(listener, 3)

    assert [bool(payload) for payload in said] == [True, False, True]
    assert endings.heard(said) is None
    found = endings.heard([said[0], said[2]])
    assert found is not None
    assert [ending.output for ending in found] == ["[1]", "[2]"]


def test_who_no_longer_holds_the_attempt_tells_of_nothing(
    alice: User, published_version: ModelVersion, listener: Listener
) -> None:
    prediction = make_prediction(alice)
    done = outcome(prediction)
    Prediction.objects.filter(pk=prediction.pk).update(attempt=2)

    assert settle([done]) == 0

    assert_nothing_is_told(listener)


def test_a_settlement_that_is_rolled_back_tells_nothing(
    alice: User, published_version: ModelVersion, listener: Listener
) -> None:
    undone, kept = make_prediction(alice), make_prediction(alice)
    done = outcome(undone)

    with transaction.atomic():
        assert settle([done]) == 1
        transaction.set_rollback(True)
    settle([outcome(kept)])

    # Wake-ups come in the order of the commits, so that none is still on its way.
    assert_told_as_stored(listener, [kept.pk])
    assert endings.ended([undone.pk]) == []


class Stopped(Exception):
    """The listener of a test is to wake nobody any more."""


class StoppableListener(Listener):
    is_stopped = False

    def wait(self, seconds: float) -> list[Notify]:
        came = super().wait(seconds)
        if self.is_stopped:
            raise Stopped
        return came


class WaitersOfTest(Waiters):
    """Waiters whose thread ends with the test, and who listen before anything is settled."""

    def __init__(self, channel: str) -> None:
        super().__init__()
        self.channel = channel
        self.listener = StoppableListener([channel])

    def _listen(self) -> None:
        try:
            self._wake_until_it_breaks(self.listener)
        except Stopped:
            connection.close()

    def stop(self) -> None:
        self.listener.is_stopped = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, '')", [self.channel])
        if self.thread is not None:
            self.thread.join(LONG_SECONDS)
            assert not self.thread.is_alive()


@pytest.fixture
def wait_on(own_database: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Have requests wait for what is said on a channel, and look by themselves after a time."""
    made: list[WaitersOfTest] = []

    def wait(channel: str, *, check_seconds: float) -> None:
        made.append(WaitersOfTest(channel))
        monkeypatch.setattr(waiting, "waiters", made[0])
        monkeypatch.setattr(waiting, "CHECK_SECONDS", check_seconds)

    yield wait
    made[0].stop()


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Ending]:
    """Note the endings that were read from the table."""
    found: list[Ending] = []
    really_ended = endings.ended

    def ended(prediction_ids: Sequence[UUID]) -> list[Ending]:
        now = really_ended(prediction_ids)
        found.extend(now)
        return now

    monkeypatch.setattr(endings, "ended", ended)
    return found


def waited_for(user: User, *, output: str) -> tuple[Prediction, float]:
    """Submit and wait while another thread settles; return it, and the seconds from then on."""
    prediction_id, is_settled = new_id(), Event()
    settled_at: list[float] = []
    submission = prepare_submission(
        model="linear-regression", input=ModelVersion.objects.get().example
    )

    def wait() -> Prediction:
        made = submit_and_wait(
            seconds=LONG_SECONDS,
            user_id=user.pk,
            submission=submission,
            source="api",
            prediction_id=prediction_id,
        )
        assert is_settled.wait(LONG_SECONDS)
        settled_at.append(time.monotonic() - settled_at[0])
        return made

    def finish() -> None:
        until = time.monotonic() + LONG_SECONDS
        while not (found := Prediction.objects.filter(pk=prediction_id)):
            assert time.monotonic() < until
            time.sleep(0.01)
        done = outcome(found[0], output=output)
        settled_at.append(time.monotonic())
        settle([done])
        is_settled.set()

    made, _ = results(at_once([wait, finish]))
    assert isinstance(made, Prediction)
    return made, settled_at[1]


def assert_is_as_stored(prediction: Prediction) -> None:
    assert [Ending(prediction.pk, *(getattr(prediction, name) for name in FIELDS))] == stored(
        [prediction.pk]
    )


def test_who_waits_is_answered_by_the_wake_up_alone(
    alice: User,
    published_version: ModelVersion,
    wait_on: Callable[..., None],
    read: list[Ending],
) -> None:
    wait_on(CHANNEL, check_seconds=NEVER_SECONDS)

    made, seconds = waited_for(alice, output="[1.5]")

    assert (made.status, made.output) == ("succeeded", "[1.5]")
    assert (read, seconds < LONG_SECONDS / 2) == ([], True)
    assert_is_as_stored(made)


def test_who_waits_is_answered_from_the_table_when_the_wake_up_is_empty(
    alice: User,
    published_version: ModelVersion,
    wait_on: Callable[..., None],
    read: list[Ending],
) -> None:
    wait_on(CHANNEL, check_seconds=NEVER_SECONDS)

    made, seconds = waited_for(alice, output="x" * ROOM_BYTES)

    assert ([ending.id for ending in read], seconds < LONG_SECONDS / 2) == ([made.pk], True)
    assert (made.status, made.output) == ("succeeded", "x" * ROOM_BYTES)
    assert_is_as_stored(made)


def test_who_waits_is_answered_in_a_while_when_the_wake_up_is_lost(
    alice: User,
    published_version: ModelVersion,
    wait_on: Callable[..., None],
    read: list[Ending],
) -> None:
    wait_on("nobody_speaks_here", check_seconds=0.2)

    made, seconds = waited_for(alice, output="[1.5]")

    assert ([ending.id for ending in read], made.status) == ([made.pk], "succeeded")
    assert seconds < LONG_SECONDS / 2
    assert_is_as_stored(made)
