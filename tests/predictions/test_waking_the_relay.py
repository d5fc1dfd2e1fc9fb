"""What wakes the relay, what it leaves, and how soon it looks again."""

import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import psycopg2
import pytest

from accounts.models import User
from ml_models.models import ModelVersion
from mlservice.lib.ids import new_id
from mlservice.lib.listening import Listener
from predictions import dispatch, lanes
from predictions.dispatch import record_heartbeat
from predictions.models import Prediction
from predictions.relay import Relay
from predictions.services import Outcome, claim, settle
from predictions.submitting import submitted
from tests.conftest import make_prediction

# Who is woken is so at once, and who is not must wait.
LONG_SECONDS = 10.0
SHORT_SECONDS = 0.1


class Heard:
    """A listener that hears this, one after another, and then nothing more."""

    def __init__(self, *channels: str) -> None:
        self.channels = list(channels)

    def wait(self, seconds: float) -> list[Any]:
        if self.channels:
            return [SimpleNamespace(channel=self.channels.pop(0), payload="")]
        time.sleep(seconds)
        return []


@pytest.mark.parametrize(
    ("channels", "has_more", "is_woken"),
    [
        (["prediction_submitted"], False, True),
        (["prediction_finished"], True, True),
        (["prediction_finished"], False, False),
        (["prediction_finished", "prediction_submitted"], False, True),
        ([], True, False),
    ],
)
def test_the_end_of_a_group_wakes_it_only_while_something_waits_for_room(
    channels: Sequence[str], has_more: bool, is_woken: bool
) -> None:
    relay = Relay()
    relay.has_more = has_more
    seconds = LONG_SECONDS if is_woken else SHORT_SECONDS

    assert relay.wait_until_woken(cast(Listener, Heard(*channels)), seconds) is is_woken


@pytest.mark.parametrize(("looks_again", "seconds"), [(False, 0.5), (True, 0.005)])
def test_it_looks_again_soon_when_it_looks_again(
    monkeypatch: pytest.MonkeyPatch, looks_again: bool, seconds: float
) -> None:
    relay, waited = Relay(), list[float]()
    monkeypatch.setattr(relay, "listener", SimpleNamespace())
    monkeypatch.setattr(relay, "wait_until_woken", lambda listener, seconds: waited.append(seconds))
    monkeypatch.setattr(relay, "reap", lambda: None)
    monkeypatch.setattr(relay, "publish_windows", lambda: None)
    relay.looks_again = looks_again

    relay.turn()

    assert waited == [seconds]


@pytest.mark.parametrize("bulk_rows", [100, 1])
def test_what_has_no_room_waits_for_the_end_of_a_group(
    settings: Any,
    alice: User,
    published_version: ModelVersion,
    sent: list[list[UUID]],
    bulk_rows: int,
) -> None:
    settings.PREDICTION_BULK_ROWS, settings.PREDICTION_GROUP_MAX_ROWS = bulk_rows, 2
    record_heartbeat(name="node", children=1, queues=[lane.queue for lane in lanes.LANES])
    relay, seen = Relay(), []
    for more in (0, 1, 1, 0):
        for _ in range(more):
            make_prediction(alice, input=[published_version.example] * 2)
        relay.publish_windows()
        seen.append((len(sent), relay.has_more))

    settle([Outcome(one.id, one.attempt, "failed", error="No.") for one in claim(sent[0])])
    relay.publish_windows()

    # Nothing waits; one goes out; another waits until that is done.
    assert seen == [(0, False), (1, False), (1, True), (1, True)]
    assert (len(sent), relay.has_more) == (2, False)


@pytest.mark.parametrize(("counted_at_most", "has_more"), [(1_000, False), (3, True)])
def test_of_more_than_is_counted_some_are_left(
    alice: User,
    published_version: ModelVersion,
    sent: list[list[UUID]],
    monkeypatch: pytest.MonkeyPatch,
    counted_at_most: int,
    has_more: bool,
) -> None:
    monkeypatch.setattr(lanes, "COUNTED_AT_MOST", counted_at_most)
    relay = Relay()
    for _ in range(3):
        make_prediction(alice)

    relay.publish_windows()

    assert [len(ids) for ids in sent] == [3]
    assert relay.has_more is has_more


@pytest.mark.django_db(transaction=True)
def test_what_others_hold_is_left(
    alice: User,
    published_version: ModelVersion,
    sent: list[list[UUID]],
    own_database: None,
    settings: Any,
) -> None:
    held = make_prediction(alice)
    relay = Relay()

    with psycopg2.connect(settings.LISTEN_DATABASE_URL) as other, other.cursor() as cursor:
        cursor.execute(
            "SELECT FROM predictions_prediction WHERE id = %s FOR UPDATE", [str(held.pk)]
        )
        relay.publish_windows()

    assert (sent, relay.has_more, relay.looks_again) == ([], True, True)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("has_more", [False, True])
def test_it_hears_what_was_submitted_returned_or_ended(
    alice: User, published_version: ModelVersion, own_database: None, has_more: bool
) -> None:
    relay = Relay()
    relay.has_more = has_more
    listener = relay.connect()

    def is_woken(*, soon: bool = True) -> bool:
        return relay.wait_until_woken(listener, LONG_SECONDS if soon else SHORT_SECONDS)

    submitted.sent_at = float("-inf")
    prediction = make_prediction(alice)
    assert is_woken()
    dispatch.mark_group(new_id(), max_rows=1)
    submitted.sent_at = float("-inf")
    dispatch.return_to_queue(Prediction.objects.filter(pk=prediction.pk))
    assert is_woken()
    settle([Outcome(prediction.pk, 0, "canceled")], expected="starting")
    assert is_woken(soon=has_more) is has_more
    assert not is_woken(soon=False)
    listener.close()
