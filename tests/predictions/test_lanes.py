"""Large predictions have a lane of their own, and never take the last child of the small ones."""

from collections.abc import Sequence
from typing import Any

import pytest

from accounts.models import User
from ml_models.models import ModelVersion
from mlservice.lib.ids import new_id
from predictions.dispatch import mark_group, record_heartbeat
from predictions.lanes import BULK, INTERACTIVE, Lane, live_children, open_groups, window
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

    assert sent == [("bulk", 1)]
    assert open_groups(BULK) == 1


def test_a_claimed_small_group_makes_room_for_the_next(
    alice: User, published_version: ModelVersion, sent: list[tuple[str, int]]
) -> None:
    first = make_prediction(alice)
    relay = Relay()
    relay.publish_windows()

    claim([first.pk])

    assert open_groups(INTERACTIVE) == 0


def test_lanes_do_not_share_a_group(
    alice: User, published_version: ModelVersion, sent: list[tuple[str, int]]
) -> None:
    small, big = make_prediction(alice), large(alice, published_version)

    assert mark_group(new_id(), max_rows=100, lane=BULK) == ([big.pk], 3)
    assert mark_group(new_id(), max_rows=100, lane=INTERACTIVE) == ([small.pk], 1)


def test_only_nodes_of_a_queue_are_counted_for_it(db: None) -> None:
    record_heartbeat(name="node", children=2, queues=["predictions"])
    record_heartbeat(name="duties", children=1, queues=["duties"])

    assert (live_children(), live_children("duties"), live_children("bulk")) == (2, 1, 0)
