"""Large predictions have a lane of their own, and never take the last child of the small ones."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now

from accounts.models import User
from ml_models.models import ModelVersion
from mlservice.lib.ids import new_id
from predictions.dispatch import mark_group, record_heartbeat
from predictions.lanes import (
    BULK,
    INTERACTIVE,
    LOST_AFTER_SECONDS,
    Lane,
    Traffic,
    live_children,
    traffic,
    window,
)
from predictions.models import Prediction
from predictions.publisher import Publisher
from predictions.relay import Relay
from predictions.services import claim
from tests.conftest import make_prediction

BOTH = ("predictions", "bulk")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch, settings: Any) -> list[tuple[str, int]]:
    """What the relay publishes, as queue and number of predictions; bulk begins at 3 rows."""
    settings.PREDICTION_BULK_ROWS = 2
    settings.PREDICTION_GROUP_MAX_ROWS = 4
    messages: list[tuple[str, int]] = []
    monkeypatch.setattr(
        Publisher, "publish", lambda self, queue, group_id, ids: messages.append((queue, len(ids)))
    )
    return messages


def large(user: User, version: ModelVersion) -> Prediction:
    return make_prediction(user, input=[version.example] * 3)


@pytest.mark.parametrize(
    ("lane", "nodes", "expected"),
    [
        (INTERACTIVE, {}, 1),
        (INTERACTIVE, {"a": (2, BOTH), "b": (3, BOTH)}, 5),
        (INTERACTIVE, {"a": (2, ["predictions"]), "b": (3, ["bulk"])}, 2),
        (INTERACTIVE, {"a": (4, ["duties"])}, 1),
        (BULK, {}, 1),
        (BULK, {"a": (2, BOTH)}, 1),
        (BULK, {"a": (4, BOTH), "b": (3, BOTH)}, 2),
        (BULK, {"a": (4, ["bulk"]), "b": (4, BOTH)}, 3),
        (BULK, {"a": (4, ["bulk"]), "b": (4, ["bulk"])}, 8),
        (BULK, {"a": (1, BOTH)}, 1),
        (BULK, {"a": (4, ["predictions"])}, 1),
    ],
)
def test_a_window_follows_the_children_that_serve_the_lane(
    db: None, lane: Lane, nodes: dict[str, tuple[int, Sequence[str]]], expected: int
) -> None:
    for name, (children, queues) in nodes.items():
        record_heartbeat(name=name, children=children, queues=queues)

    assert window(lane) == expected


def test_a_large_prediction_goes_in_bulk_and_the_small_ones_do_not_wait_behind_it(
    alice: User, published_version: ModelVersion, sent: list[tuple[str, int]]
) -> None:
    record_heartbeat(name="node", children=2, queues=BOTH)
    for _ in range(3):
        large(alice, published_version)
    relay = Relay()
    relay.publish_windows()
    make_prediction(alice)

    relay.publish_windows()

    assert sent == [("bulk", 1), ("predictions", 1)]


def test_what_is_predicted_in_bulk_fills_the_window_until_it_is_done(
    alice: User, published_version: ModelVersion, sent: list[tuple[str, int]]
) -> None:
    record_heartbeat(name="node", children=2, queues=BOTH)
    first = large(alice, published_version)
    large(alice, published_version)
    relay = Relay()
    relay.publish_windows()

    claim([first.pk])
    relay.publish_windows()

    seen = traffic()[BULK]
    assert sent == [("bulk", 1)]
    assert (seen.open_groups, seen.begun_groups, seen.waiting) == (0, 1, 1)
    assert seen.room(BULK, window(BULK)) == 0


def test_a_claimed_small_group_makes_room_for_the_next(
    alice: User, published_version: ModelVersion, sent: list[tuple[str, int]]
) -> None:
    first = make_prediction(alice)
    relay = Relay()
    relay.publish_windows()
    published = traffic()[INTERACTIVE]

    claim([first.pk])

    claimed = traffic()[INTERACTIVE]
    assert (published.open_groups, published.begun_groups) == (1, 0)
    assert (claimed.open_groups, claimed.begun_groups) == (0, 1)
    assert published.room(INTERACTIVE, 1) == 0
    assert claimed.room(INTERACTIVE, 1) == 1


@pytest.mark.parametrize(
    ("open_groups", "begun_groups", "children", "expected"),
    [
        (0, 0, 4, 4),
        (0, 1, 4, 3),
        (0, 2, 4, 2),
        (0, 4, 4, 2),
        (0, 3, 3, 2),
        (1, 4, 4, 1),
        (2, 4, 4, 0),
        (4, 0, 4, 0),
        # One that another child took before its node was lost, or published before a window fell.
        (0, 5, 4, 2),
        (5, 0, 4, -1),
    ],
)
def test_small_groups_are_ready_for_idle_children_and_for_half_of_all_at_least(
    open_groups: int, begun_groups: int, children: int, expected: int
) -> None:
    seen = Traffic(open_groups, begun_groups, waiting=1)

    assert seen.room(INTERACTIVE, children) == expected


@pytest.mark.parametrize(
    ("open_groups", "begun_groups", "children", "expected"),
    [(0, 0, 3, 3), (1, 1, 3, 1), (0, 3, 3, 0), (3, 0, 3, 0), (0, 1, 1, 0)],
)
def test_bulk_groups_fill_their_window_until_they_are_done(
    open_groups: int, begun_groups: int, children: int, expected: int
) -> None:
    seen = Traffic(open_groups, begun_groups, waiting=1)

    assert seen.room(BULK, children) == expected


def test_while_all_children_work_what_waits_grows_into_one_group(
    alice: User, published_version: ModelVersion, sent: list[tuple[str, int]]
) -> None:
    record_heartbeat(name="node", children=2, queues=BOTH)
    relay = Relay()
    for _ in range(2):
        claim([make_prediction(alice).pk])
        Prediction.objects.filter(group_id=None).update(group_id=new_id())
    make_prediction(alice)
    relay.publish_windows()
    for _ in range(2):
        make_prediction(alice)

    relay.publish_windows()

    assert sent == [("predictions", 1)]
    seen = traffic()[INTERACTIVE]
    assert (seen.open_groups, seen.begun_groups, seen.waiting) == (1, 2, 2)


def test_what_waits_is_parted_among_the_idle_children(
    alice: User, bob: User, published_version: ModelVersion, sent: list[tuple[str, int]]
) -> None:
    record_heartbeat(name="node", children=3, queues=BOTH)
    for user in (alice, alice, alice, bob, bob):
        make_prediction(user)

    Relay().publish_windows()

    assert sent == [("predictions", 2), ("predictions", 2), ("predictions", 1)]
    assert traffic()[INTERACTIVE].waiting == 0


@pytest.mark.parametrize(
    ("waiting", "room", "expected"), [(5, 3, 2), (1, 3, 1), (6, 1, 6), (6, 0, 6), (6, -1, 6)]
)
def test_a_share_is_what_each_group_takes_when_all_that_waits_goes_out(
    waiting: int, room: int, expected: int
) -> None:
    assert Traffic(open_groups=0, begun_groups=0, waiting=waiting).share(room) == expected


def test_the_lanes_are_looked_at_apart(
    alice: User, published_version: ModelVersion, sent: list[tuple[str, int]]
) -> None:
    make_prediction(alice)
    Relay().publish_windows()
    large(alice, published_version)

    seen = traffic()

    assert seen == {
        INTERACTIVE: Traffic(open_groups=1, begun_groups=0, waiting=0),
        BULK: Traffic(open_groups=0, begun_groups=0, waiting=1),
    }


def test_a_group_that_nobody_claims_is_not_open_for_ever(
    alice: User, published_version: ModelVersion, sent: list[tuple[str, int]]
) -> None:
    make_prediction(alice)
    Relay().publish_windows()
    lost = Now() - timedelta(seconds=LOST_AFTER_SECONDS + 1)
    Prediction.objects.update(published_at=lost)

    assert traffic()[INTERACTIVE].open_groups == 0


def test_lanes_do_not_share_a_group(
    alice: User, published_version: ModelVersion, sent: list[tuple[str, int]]
) -> None:
    small, big = make_prediction(alice), large(alice, published_version)

    assert mark_group(new_id(), max_rows=100, lane=BULK)[:2] == ([big.pk], 3)
    assert mark_group(new_id(), max_rows=100, lane=INTERACTIVE)[:2] == ([small.pk], 1)


def test_only_nodes_of_a_queue_are_counted_for_it(db: None) -> None:
    record_heartbeat(name="node", children=2, queues=["predictions"])
    record_heartbeat(name="duties", children=1, queues=["duties"])

    assert (live_children(), live_children("duties"), live_children("bulk")) == (2, 1, 0)
