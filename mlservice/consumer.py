"""The only place where a worker node judges a message before any task sees it."""

import logging
from collections.abc import Callable
from typing import Any

from celery.worker import consumer
from kombu import Connection

from mlservice.lib.queues import declare_queues

logger = logging.getLogger(__name__)

# Nobody here sends more than ids.
MAX_BYTES = 1_000_000


class Consumer(consumer.Consumer):
    """Celery's consumer, which acknowledges what it cannot decode; ours refuses it.

    A refused message goes to the dead queue, where the operator can look at it. The queues
    are declared on every connection, so that a broker that lost them has them again.
    """

    def connect(self) -> Connection:
        connection = super().connect()
        declare_queues(connection)
        return connection

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Any], Any]:
        handle = super().create_task_handler(*args, **kwargs)

        def on_task_received(message: Any) -> None:
            if is_readable(message):
                handle(message)
            else:
                self.refuse(message)

        return on_task_received

    def refuse(self, message: Any) -> None:
        logger.error("message_refused", extra={"headers": repr(message.headers)[:1_000]})
        message.reject_log_error(logger, self.connection_errors)  # type: ignore[attr-defined]


def is_readable(message: Any) -> bool:
    """Say whether headers and body have the form of a task's message (protocol 2)."""
    headers = message.headers
    if not isinstance(headers, dict) or len(message.body) > MAX_BYTES:
        return False
    if not all(isinstance(headers.get(name), str) for name in ("task", "id")):
        return False
    try:
        payload = message.payload
    # Whatever a decoder trips over, the message is at fault.
    except Exception:
        return False
    return (
        isinstance(payload, list | tuple)
        and len(payload) == 3
        and isinstance(payload[0], list | tuple)
        and all(isinstance(part, dict) for part in payload[1:])
    )
