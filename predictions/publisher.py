"""The relay's own way to the broker: every message is confirmed, or an error within seconds."""

from typing import Any
from uuid import UUID

import structlog
from amqp.exceptions import ChannelError, MessageNacked
from django.conf import settings
from kombu import Connection, Message, Producer
from kombu.exceptions import KombuError

from mlservice.celery import app
from mlservice.lib import tracing
from mlservice.lib.queues import DEAD, declare_queues
from predictions.counting import publish_seconds
from predictions.tasks import run_predictions

logger = structlog.get_logger(__name__)

# A broker in a resource alarm never confirms: only socket timeouts end that wait. They belong
# to the publisher alone; a worker's connection may rightly be silent.
SOCKET_TIMEOUT_SECONDS = 3
CLOSE_TIMEOUT_SECONDS = 1
NO_ROUTE = 312

# A refusal, a lost connection and an unroutable message all come under other names.
with app.connection_for_write() as broker:
    BROKER_ERRORS: tuple[type[BaseException], ...] = (
        KombuError,
        MessageNacked,
        *broker.connection_errors,
        *broker.channel_errors,
    )


class Publisher:
    """One connection that is thrown away after any error; the next one declares the queues anew.

    So a queue that was deleted, or a broker that lost all it had, is whole again at the next
    try. `unroutable` counts the messages that found no queue.
    """

    def __init__(self) -> None:
        self.connection: Connection | None = None
        self.producer: Producer | None = None
        self.unroutable = 0

    def connect(self) -> None:
        """Have a connection with all queues declared; raise one of BROKER_ERRORS otherwise."""
        self._producer()

    @publish_seconds.time()
    def publish(self, queue: str, group_id: UUID, prediction_ids: list[UUID]) -> None:
        """Send one message with the ids of a group; return when the broker has confirmed it."""
        # The worker's limits hold, which its lease goes with: the sender's must not travel along.
        options: dict[str, Any] = {"time_limit": None, "soft_time_limit": None}
        if settings.BROKER_IS_RABBITMQ:
            # A broker confirms what it cannot route, unless told that it must arrive somewhere.
            options["mandatory"] = True
        try:
            with tracing.publishing(group_id, prediction_ids):
                run_predictions.apply_async(
                    ([str(prediction_id) for prediction_id in prediction_ids],),
                    task_id=str(group_id),
                    queue=queue,
                    producer=self._producer(),
                    retry=False,
                    **options,
                )
        except BROKER_ERRORS as error:
            self._note(error, queue)
            self.close()
            raise

    def dead_letters(self, *, at_most: int) -> list[Message]:
        """Take messages from the dead queue; what is not acknowledged stays there."""
        if not settings.BROKER_IS_RABBITMQ:
            return []
        try:
            channel: Any = self._producer().channel
            found = (channel.basic_get(DEAD, no_ack=False) for _ in range(at_most))
            return [
                channel.message_to_python(message)
                for message in iter(lambda: next(found, None), None)
            ]
        except BROKER_ERRORS:
            self.close()
            raise

    def acknowledge(self, messages: list[Message]) -> None:
        try:
            for message in messages:
                message.ack()
        except BROKER_ERRORS:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the connection without a word, for the broker may not listen."""
        connection, self.connection, self.producer = self.connection, None, None
        if connection is not None:
            connection.collect(socket_timeout=CLOSE_TIMEOUT_SECONDS)

    def _producer(self) -> Producer:
        if self.producer is None:
            self.connection = self._connect()
            self.producer = Producer(self.connection.channel(), auto_declare=False)
        return self.producer

    def _connect(self) -> Connection:
        connection = app.connection_for_write(heartbeat=0, transport_options=transport_options())
        try:
            # One try: what waits is in the table, and the reaper must have its turn.
            connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
            declare_queues(connection)
        except BaseException:
            connection.collect(socket_timeout=CLOSE_TIMEOUT_SECONDS)
            raise
        return connection

    def _note(self, error: BaseException, queue: str) -> None:
        if isinstance(error, ChannelError) and error.reply_code == NO_ROUTE:
            self.unroutable += 1
            logger.error("queue_was_missing", queue=queue, unroutable=self.unroutable)


def transport_options() -> dict[str, Any]:
    if not settings.BROKER_IS_RABBITMQ:
        return {"socket_timeout": SOCKET_TIMEOUT_SECONDS}
    return {
        "confirm_publish": True,
        "read_timeout": SOCKET_TIMEOUT_SECONDS,
        "write_timeout": SOCKET_TIMEOUT_SECONDS,
    }
