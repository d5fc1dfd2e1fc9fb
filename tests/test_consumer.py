"""A worker node judges each message before a task sees it; what has not its form is refused."""

import json
from typing import Any

import pytest
from kombu.message import Message

from mlservice.consumer import MAX_BYTES, Consumer, is_readable

HEADERS = {"task": "predictions.run", "id": "0197b7a2-5f0e-7c3a-9d7e-2f4b8a1c6e55"}
BODY = [[["one"]], {}, {"chord": None}]


def message(body: Any = BODY, headers: Any = HEADERS, kind: str = "application/json") -> Message:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Message(
        body=content,
        content_type=kind,
        content_encoding="utf-8",
        headers=headers,
        accept={"application/json"},
    )


def test_a_task_of_ours_is_readable() -> None:
    assert is_readable(message())


@pytest.mark.parametrize(
    "broken",
    [
        message(b"{not json"),
        message(b"\xff\xfe"),
        message(b""),
        message(5),
        message({"task": "x"}),
        message([[], {}]),
        message([1, {}, {}]),
        message([[], [], {}]),
        message(headers={}),
        message(headers={"task": "predictions.run"}),
        message(headers={"task": 5, "id": "1"}),
        message(headers=None),
        message(kind="application/x-python-serialize"),
        message([["x" * MAX_BYTES], {}, {}]),
    ],
)
def test_anything_else_is_not(broken: Message) -> None:
    assert not is_readable(broken)


def test_what_cannot_be_read_is_refused_and_not_acknowledged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers: list[str] = []
    consumer = Consumer.__new__(Consumer)
    vars(consumer)["connection_errors"] = ()
    broken = message(b"{not json")
    monkeypatch.setattr(broken, "ack_log_error", lambda *_: answers.append("acknowledged"))
    monkeypatch.setattr(broken, "reject_log_error", lambda *_: answers.append("refused"))

    consumer.refuse(broken)

    assert answers == ["refused"]
