"""The only place that moves dead letters from the broker into the table."""

import json
from typing import Any

import structlog
from django.db import Error
from kombu import Message

from predictions.models import DeadLetter
from predictions.publisher import Publisher

logger = structlog.get_logger(__name__)

AT_ONCE = 100
SHOWN_CHARACTERS = 4_000


def collect(publisher: Publisher) -> int:
    """Store what lies in the dead queue, then take it from there; return how many.

    It is acknowledged after the commit: a crash between the two stores it twice, never not
    at all.
    """
    messages = publisher.dead_letters(at_most=AT_ONCE)
    if not messages:
        return 0
    try:
        DeadLetter.objects.bulk_create(dead_letter(message) for message in messages)
    except Error:
        # Unacknowledged they would stay in our hands until the connection ends.
        publisher.close()
        raise
    publisher.acknowledge(messages)
    logger.error("dead_letters_arrived", count=len(messages))
    return len(messages)


def dead_letter(message: Message) -> DeadLetter:
    """Describe a message that the broker gave up; nothing in it is trusted or decoded."""
    headers = message.headers if isinstance(message.headers, dict) else {}
    death = last_death(headers)
    return DeadLetter(
        queue=stored(death.get("queue", ""), 100),
        task=stored(headers.get("task", ""), 200),
        reason=stored(death.get("reason", ""), 40),
        headers=stored(json.dumps(headers, default=str, ensure_ascii=False), SHOWN_CHARACTERS),
        body=stored(message.body, SHOWN_CHARACTERS),
    )


def last_death(headers: dict[str, Any]) -> dict[str, Any]:
    """Return what RabbitMQ noted when it moved the message, the latest first."""
    deaths = headers.get("x-death")
    if isinstance(deaths, list) and deaths and isinstance(deaths[0], dict):
        return deaths[0]
    return {}


def stored(value: Any, characters: int) -> str:
    """Make a text of anything that PostgreSQL takes, no longer than `characters`."""
    text = (
        bytes(value).decode(errors="replace")
        if isinstance(value, bytes | memoryview)
        else str(value)
    )
    # A lone surrogate has no UTF-8, and PostgreSQL knows no NUL.
    return text[:characters].replace("\x00", "\ufffd").encode(errors="replace").decode()
