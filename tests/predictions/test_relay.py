"""The relay groups what waits, keeps a window, and takes back what was lost."""

import time
from collections.abc import Sequence
from datetime import timedelta
from threading import Thread
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from amqp.exceptions import MessageNacked
from django.db import connection
from django.db.models import F
from kombu.exceptions import OperationalError

from accounts.models import User
from ml_models.models import ModelVersion
from mlservice.celery import app
from mlservice.lib.ids import new_id
from predictions import lanes
from predictions.counting import turned_timestamp_seconds
from predictions.dispatch import mark_group, record_heartbeat
from predictions.models import Prediction, Worker
from predictions.publisher import BROKER_ERRORS, Publisher
from predictions.reaping import unpublish_lost
from predictions.relay import GAP_SECONDS, Relay
from predictions.services import Outcome, claim, settle
from tests.conftest import make_prediction, make_user


def grow_old(*, seconds: int) -> None:
    published = Prediction.objects.filter(published_at__isnull=False)
    published.update(published_at=F("published_at") - timedelta(seconds=seconds))


def test_what_waits_for_one_version_goes_out_as_one_message(
    alice: User, bob: User, published_version: ModelVersion, sent: list[list[UUID]]
) -> None:
    ours = [make_prediction(user) for user in (alice, bob, alice)]

    Relay().publish_windows()

    assert sent == [sorted(prediction.pk for prediction in ours)]


def test_versions_do_not_share_a_message(
    alice: User,
    published_version: ModelVersion,
    forest_version: ModelVersion,
    sent: list[list[UUID]],
) -> None:
    record_heartbeat(name="node", children=5, queues=["predictions"])
    linear, forest = make_prediction(alice), make_prediction(alice, model="random-forest")

    Relay().publish_windows()

    assert sorted(sent) == sorted([[linear.pk], [forest.pk]])


def test_the_window_leaves_the_rest_in_the_table(
    settings: Any, alice: User, published_version: ModelVersion, sent: list[list[UUID]]
) -> None:
    settings.PREDICTION_GROUP_MAX_ROWS = 1
    record_heartbeat(name="node", children=2, queues=["predictions"])
    for _ in range(5):
        make_prediction(alice)

    relay = Relay()
    relay.publish_windows()
    relay.publish_windows()

    assert len(sent) == 2
    assert Prediction.objects.filter(published_at=None).count() == 3


def test_users_take_turns_when_a_group_is_formed(
    settings: Any, alice: User, bob: User, published_version: ModelVersion
) -> None:
    settings.PREDICTION_GROUP_MAX_ROWS = 2
    hers = [make_prediction(alice) for _ in range(5)]
    his = make_prediction(bob)

    ids, rows, _ = mark_group(new_id(), max_rows=2)

    assert set(ids) == {hers[0].pk, his.pk}
    assert rows == 2


def test_what_was_tried_before_goes_alone(alice: User, published_version: ModelVersion) -> None:
    make_prediction(alice)
    suspect = make_prediction(alice)
    Prediction.objects.filter(pk=suspect.pk).update(attempt=1)

    ids, *_ = mark_group(new_id(), max_rows=100)

    assert ids == [suspect.pk]


def test_a_request_larger_than_a_group_still_goes(
    alice: User, published_version: ModelVersion
) -> None:
    large = make_prediction(alice, input=[published_version.example] * 5)

    ids, rows, _ = mark_group(new_id(), max_rows=3)

    assert (ids, rows) == ([large.pk], 5)


@pytest.mark.parametrize("refusal", [OperationalError("broker away"), MessageNacked()])
def test_what_the_broker_refuses_is_unmarked(
    alice: User,
    published_version: ModelVersion,
    monkeypatch: pytest.MonkeyPatch,
    refusal: Exception,
) -> None:
    make_prediction(alice)

    def refuse(*_: Any) -> None:
        raise refusal

    monkeypatch.setattr(Publisher, "publish", refuse)

    # What the relay waits out and tries again.
    with pytest.raises(BROKER_ERRORS):
        Relay().publish_windows()

    assert Prediction.objects.filter(published_at=None, group_id=None).count() == 1


def test_a_group_nobody_claimed_is_published_again(
    alice: User, published_version: ModelVersion, sent: list[list[UUID]]
) -> None:
    prediction = make_prediction(alice)
    relay = Relay()
    relay.publish_windows()
    assert unpublish_lost(lanes.INTERACTIVE) == 0

    grow_old(seconds=31)
    unpublish_lost(lanes.INTERACTIVE)
    relay.publish_windows()

    assert sent == [[prediction.pk], [prediction.pk]]


def test_a_lost_group_is_published_again_though_others_fill_the_window(
    alice: User, published_version: ModelVersion, sent: list[list[UUID]]
) -> None:
    lost = make_prediction(alice)
    relay = Relay()
    relay.publish_windows()
    grow_old(seconds=45)
    make_prediction(alice)
    relay.publish_windows()

    assert unpublish_lost(lanes.INTERACTIVE) == 0
    Prediction.objects.filter(pk=lost.pk).update(
        published_at=F("published_at") - timedelta(seconds=20)
    )
    assert unpublish_lost(lanes.INTERACTIVE) == 1


def test_a_full_round_of_the_reaper_is_followed_by_the_next_at_once(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    relay, rounds = Relay(), iter([500, 499])
    monkeypatch.setattr("predictions.relay.dead_letters.collect", lambda publisher: None)
    monkeypatch.setattr("predictions.relay.reaping.reap", lambda: {"expired": next(rounds)})

    relay.reap()
    assert relay.reaped_at == float("-inf")
    relay.reap()
    assert relay.reaped_at > 0


def test_a_node_that_fell_silent_counts_no_more(db: None) -> None:
    record_heartbeat(name="alive", children=2, queues=["predictions"])
    record_heartbeat(name="silent", children=3, queues=["predictions"])
    Worker.objects.filter(name="silent").update(seen_at="2020-01-01T00:00:00Z")

    assert lanes.live_children() == 2


def test_a_stranger_without_work_has_no_part_in_a_group(
    alice: User, published_version: ModelVersion
) -> None:
    make_user("idle")
    mine = make_prediction(alice)

    assert mark_group(new_id(), max_rows=10)[:2] == ([mine.pk], 1)
    assert mark_group(new_id(), max_rows=10)[:2] == ([], 0)


def test_it_is_crowded_while_no_child_is_idle(
    settings: Any, alice: User, published_version: ModelVersion, sent: list[list[UUID]]
) -> None:
    settings.PREDICTION_GROUP_MAX_ROWS = 1
    record_heartbeat(name="node", children=2, queues=["predictions"])
    ours = [make_prediction(alice) for _ in range(2)]
    relay, crowded = Relay(), []

    def look() -> None:
        relay.publish_windows()
        crowded.append(relay.is_crowded)

    look()
    look()
    (begun,) = claim([ours[0].pk])
    look()
    settle([Outcome(begun.id, begun.attempt, "failed", error_code="x")])
    look()

    # Nothing was out; one group was ready for each child; one of them is worked on; one is done.
    assert len(sent) == 2
    assert crowded == [False, True, True, False]


def test_large_predictions_crowd_nobody(
    settings: Any, alice: User, published_version: ModelVersion, sent: list[list[UUID]]
) -> None:
    settings.PREDICTION_BULK_ROWS = 1
    record_heartbeat(name="node", children=1, queues=[lane.queue for lane in lanes.LANES])
    make_prediction(alice, input=[published_version.example] * 2)
    relay = Relay()

    relay.publish_windows()
    relay.publish_windows()

    assert (len(sent), lanes.traffic()[lanes.BULK].groups) == (1, 1)
    assert relay.is_crowded is False


def turn_of(
    monkeypatch: pytest.MonkeyPatch, *, is_crowded: bool, moments: Sequence[float]
) -> tuple[Relay, list[float]]:
    """Take a turn after each moment; return the relay and how long it waited after each."""
    relay, waited = Relay(), list[float]()
    clock = iter([moment for moment in moments for _ in range(4 if is_crowded else 3)])
    monkeypatch.setattr("predictions.relay.time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(relay, "listener", SimpleNamespace())
    monkeypatch.setattr(relay, "wait_until_woken", lambda listener, seconds: True)
    monkeypatch.setattr(relay, "reap", lambda: None)
    monkeypatch.setattr(relay, "publish_windows", lambda: False)
    monkeypatch.setattr(relay.stopped, "wait", waited.append)
    relay.is_crowded = is_crowded
    for _ in moments:
        relay.turn()
    return relay, waited


def test_turns_are_a_gap_apart_while_it_is_crowded(monkeypatch: pytest.MonkeyPatch) -> None:
    later = 100 + GAP_SECONDS / 4

    relay, waited = turn_of(monkeypatch, is_crowded=True, moments=[100, later, 200])

    # The first turn follows none, and the last one comes long after the gap.
    assert waited == pytest.approx([0, GAP_SECONDS * 3 / 4, 0])
    assert relay.turned_at == 200


def test_turns_follow_each_other_while_a_child_is_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    relay, waited = turn_of(monkeypatch, is_crowded=False, moments=[100, 100.0001])

    assert waited == []
    assert relay.turned_at == 100.0001


def moment_of_the_last_turn() -> float:
    [family] = turned_timestamp_seconds.collect()
    return max((sample.value for sample in family.samples), default=0.0)


@pytest.mark.django_db(transaction=True)
def test_a_relay_without_a_broker_turns_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    # Nobody listens on port 1.
    monkeypatch.setattr(app.conf, "broker_write_url", "amqp://127.0.0.1:1//")
    relay, began = Relay(), time.time()
    monkeypatch.setattr(relay.stopped, "wait", lambda seconds: relay.stopped.set())

    thread = Thread(target=relay.run)
    thread.start()
    thread.join(timeout=30)

    assert not thread.is_alive()
    assert moment_of_the_last_turn() >= began


def bitmap_scans() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW enable_bitmapscan")
        return str(cursor.fetchone()[0])


def test_it_reads_indexes_entry_by_entry(db: None) -> None:
    before = bitmap_scans()

    Relay().connect().close()

    assert (before, bitmap_scans()) == ("on", "off")
