"""The only place that publishes past the relay: again, or what no program of ours would send."""

import json
from typing import Any
from uuid import UUID, uuid4

import kombu

from tests.faults.stack import Stack

QUEUE = "predictions"


def task_message(
    arguments: Any, *, task: str = "predictions.run", id: str = ""
) -> tuple[bytes, dict[str, Any]]:
    """Return body and headers of a task's message (Celery's protocol 2)."""
    id = id or str(uuid4())
    headers = {"lang": "py", "task": task, "id": id, "root_id": id, "parent_id": None}
    body = json.dumps([arguments, {}, {}]).encode()
    return body, headers


def publish(
    stack: Stack, body: bytes, headers: dict[str, Any], *, content_type: str = "application/json"
) -> None:
    with kombu.Connection(stack.rabbitmq.address) as connection, connection.channel() as channel:
        kombu.Producer(channel, auto_declare=False).publish(
            body,
            exchange=QUEUE,
            routing_key=QUEUE,
            headers=headers,
            content_type=content_type,
            content_encoding="utf-8",
            correlation_id=headers.get("id"),
            delivery_mode=2,
        )


def publish_group(stack: Stack, ids: list[str], *, times: int) -> None:
    """Mark a group as the relay does and publish its message several times."""
    group = uuid4()
    mark(stack, group, ids)
    for _ in range(times):
        body, headers = task_message([ids], id=str(group))
        publish(stack, body, headers)


def mark(stack: Stack, group: UUID, ids: list[str]) -> None:
    marked = """UPDATE predictions_prediction SET group_id = %s, published_at = clock_timestamp()
                WHERE id = ANY(%s::uuid[]) RETURNING id"""
    assert len(stack.query(marked, str(group), ids)) == len(ids)
