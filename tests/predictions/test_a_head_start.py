"""The relay leaves what is accepted to a child that stays, for a moment."""

import time
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from mlservice.lib.ids import new_id
from mlservice.lib.listening import Listener
from predictions import endings, relay, staying
from predictions.endings import Ending
from predictions.relay import HEAD_START_SECONDS, Relay
from predictions.submitting import submitted


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


@pytest.mark.parametrize("payload", ["", "now", '[["of another release"]]'])
def test_what_cannot_be_read_from_the_wake_up_gives_nobody_a_head_start(payload: str) -> None:
    one = Relay()

    one.note_served([payload])
    one.note_served([])

    assert one.served_until < time.monotonic()
    assert endings.heard([payload, finished(0.001)]) is None


def test_who_stays_no_longer_has_no_head_start() -> None:
    one = Relay()

    one.note_served([finished(HEAD_START_SECONDS / 2)])

    assert 0 < one.served_until - time.monotonic() <= staying.LISTEN_SECONDS
