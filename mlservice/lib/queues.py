"""The only place that names the broker's queues and declares them; nothing else makes one."""

from typing import Any

from django.conf import settings
from kombu import Connection, Exchange, Queue

PREDICTIONS = "predictions"
BULK = "bulk"
DUTIES = "duties"
DEAD = "dead"

# Duties share one child, and letters must not wait long for it.
DUTY_SECONDS = 30
# A message that took its worker down goes out this often again, then to the dead queue.
DELIVERY_LIMIT = 3
# The relay empties the dead queue; while it is away, the oldest make room.
DEAD_AT_MOST = 10_000


def consumed_queues(*, is_rabbitmq: bool) -> list[Queue]:
    """Return the queues that worker nodes consume.

    What they refuse goes to the dead queue. Valkey knows neither limits nor dead letters.
    """
    arguments = {
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-dead-letter-exchange": DEAD,
    }
    return [
        Queue(
            name,
            # Celery's own delayed delivery on quorum queues binds to topic exchanges only.
            Exchange(name, type="topic" if is_rabbitmq else "direct", durable=True),
            routing_key=name,
            durable=True,
            queue_arguments=arguments if is_rabbitmq else None,
        )
        for name in (PREDICTIONS, BULK, DUTIES)
    ]


def dead_queue() -> Queue:
    """Return the queue of what was refused; it keeps the name of the queue it came from."""
    return Queue(
        DEAD,
        Exchange(DEAD, type="fanout", durable=True),
        durable=True,
        queue_arguments={"x-queue-type": "quorum", "x-max-length": DEAD_AT_MOST},
    )


def every_queue() -> list[Queue]:
    return [*settings.CELERY_TASK_QUEUES, *([dead_queue()] if settings.BROKER_IS_RABBITMQ else [])]


def declare_queues(connection: Connection) -> None:
    """Declare whatever is missing. Raise PreconditionFailed for a queue made otherwise."""
    with connection.channel() as channel:
        for queue in every_queue():
            queue(channel).declare()


def replace_queues(connection: Connection) -> list[str]:
    """Declare all queues, removing first those that were made otherwise; return their names.

    The messages in a removed queue go with it: predictions stand in the table and are
    published again.
    """
    return [queue.name for queue in every_queue() if _is_replaced(connection, queue)]


def _is_replaced(connection: Connection, queue: Any) -> bool:
    try:
        with connection.channel() as channel:
            queue(channel).declare()
    except connection.channel_errors:
        with connection.channel() as channel:
            queue(channel).delete()
            queue(channel).declare()
        return True
    return False
