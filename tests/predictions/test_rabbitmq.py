"""What only a real RabbitMQ shows: queues declared, missing and otherwise made; dead letters."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from amqp.exceptions import ChannelError, PreconditionFailed
from django.core.management import CommandError, call_command
from kombu import Connection, Exchange, Queue

from mlservice.celery import app
from mlservice.lib import queues
from mlservice.lib.ids import new_id
from predictions import dead_letters
from predictions.models import DeadLetter
from predictions.publisher import BROKER_ERRORS, Publisher
from tests import debian

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def address() -> str:
    if not debian.is_rabbitmq_installed():
        pytest.skip("rabbitmq-server is not installed")
    return debian.start_rabbitmq(Path(tempfile.mkdtemp(prefix="mlservice-", dir="/tmp")))


@pytest.fixture
def rabbitmq(address: str, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """A connection to a broker without queues, which this process uses from now on."""
    settings.BROKER_IS_RABBITMQ = True
    settings.CELERY_TASK_QUEUES = queues.consumed_queues(is_rabbitmq=True)
    monkeypatch.setattr(app.conf, "broker_url", address)
    own = app.amqp.Queues({queue.name: queue for queue in settings.CELERY_TASK_QUEUES})
    monkeypatch.setitem(vars(app.amqp), "queues", own)
    opened: Any = Connection(address)
    with opened as connection:
        for name in (*own, queues.DEAD):
            connection.default_channel.queue_delete(name)
        yield connection


@pytest.fixture
def publisher(rabbitmq: Any) -> Iterator[Publisher]:
    publisher = Publisher()
    yield publisher
    publisher.close()


def waiting(connection: Any, name: str) -> int:
    return int(connection.default_channel.queue_declare(name, passive=True).message_count)


def test_the_publisher_declares_every_queue(publisher: Publisher, rabbitmq: Any) -> None:
    publisher.connect()

    names = (queues.PREDICTIONS, queues.BULK, queues.DUTIES, queues.DEAD)
    assert [waiting(rabbitmq, name) for name in names] == [0, 0, 0, 0]


def test_a_group_goes_to_the_queue_of_its_lane(publisher: Publisher, rabbitmq: Any) -> None:
    publisher.publish(queues.BULK, new_id(), [new_id()])

    assert (waiting(rabbitmq, queues.BULK), waiting(rabbitmq, queues.PREDICTIONS)) == (1, 0)


def test_a_message_leaves_the_limits_to_the_worker(publisher: Publisher, rabbitmq: Any) -> None:
    """They go with the worker's lease; the sender's settings may be another's."""
    publisher.publish(queues.PREDICTIONS, new_id(), [new_id()])

    message = rabbitmq.default_channel.basic_get(queues.PREDICTIONS, no_ack=True)
    assert message.headers["timelimit"] == [None, None]
    assert app.conf.task_time_limit > app.conf.task_soft_time_limit > 0


def test_a_deleted_queue_is_noticed_and_there_again_at_the_next_try(
    publisher: Publisher, rabbitmq: Any
) -> None:
    publisher.publish(queues.PREDICTIONS, new_id(), [new_id()])
    rabbitmq.default_channel.queue_delete(queues.PREDICTIONS)

    with pytest.raises(ChannelError, match="NO_ROUTE"):
        publisher.publish(queues.PREDICTIONS, new_id(), [new_id()])
    publisher.publish(queues.PREDICTIONS, new_id(), [new_id()])

    assert publisher.unroutable == 1
    assert waiting(rabbitmq, queues.PREDICTIONS) == 1


def test_a_queue_made_otherwise_is_refused_until_it_is_replaced(
    rabbitmq: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    older = Queue(
        "predictions",
        Exchange("predictions", type="topic"),
        routing_key="predictions",
        queue_arguments={"x-queue-type": "quorum"},
    )
    older(rabbitmq.default_channel).declare()

    with pytest.raises(PreconditionFailed):
        Publisher().connect()
    with pytest.raises(CommandError, match="--replace"):
        call_command("declare_queues")
    call_command("declare_queues", replace=True)
    call_command("declare_queues")

    assert capsys.readouterr().out == "Replaced: predictions.\nDeclared.\n"


def test_a_refused_message_is_moved_into_the_table(
    db: None, publisher: Publisher, rabbitmq: Any
) -> None:
    publisher.publish(queues.PREDICTIONS, new_id(), [new_id()])
    rabbitmq.Producer().publish(
        b"{not json \x00\xff" + b"x" * 9_000,
        exchange=queues.PREDICTIONS,
        routing_key=queues.PREDICTIONS,
        content_type="application/json",
        content_encoding="utf-8",
        headers={"task": "predictions.unheard_of"},
    )
    channel = rabbitmq.default_channel
    refuse_all(channel, queues.PREDICTIONS)

    collected = take(publisher, 2)

    assert (collected, take(publisher, 0)) == (2, 0)
    assert waiting(rabbitmq, queues.DEAD) == 0
    good, bad = DeadLetter.objects.order_by("task")
    assert (good.task, good.queue, good.reason) == ("predictions.run", "predictions", "rejected")
    assert (bad.task, bad.queue) == ("predictions.unheard_of", "predictions")
    assert bad.body.startswith("{not json \ufffd\ufffdxxx")
    assert len(bad.body) == dead_letters.SHOWN_CHARACTERS


def refuse_all(channel: Any, name: str) -> None:
    while (message := channel.basic_get(name)) is not None:
        channel.basic_reject(message.delivery_tag, requeue=False)


def take(publisher: Publisher, expected: int) -> int:
    """Collect until as many came as expected: dead-lettering takes the broker a moment."""
    collected = dead_letters.collect(publisher)
    for _ in range(100):
        if collected >= expected:
            break
        collected += dead_letters.collect(publisher)
    return collected


def test_a_message_that_took_its_reader_down_too_often_is_a_dead_letter(
    db: None, publisher: Publisher, rabbitmq: Any
) -> None:
    publisher.publish(queues.PREDICTIONS, new_id(), [new_id()])
    runs = 0
    while runs < 10:
        with rabbitmq.channel() as channel:
            if channel.basic_get(queues.PREDICTIONS) is None:
                break
            # Ending the channel without an answer is what a dying reader does.
            runs += 1

    assert runs == 1 + queues.DELIVERY_LIMIT
    assert take(publisher, 1) == 1
    assert DeadLetter.objects.get().reason == "delivery_limit"


def test_a_broker_that_is_away_is_told_within_seconds(
    rabbitmq: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.conf, "broker_url", "amqp://guest:guest@127.0.0.1:9//")

    with pytest.raises(BROKER_ERRORS, match="refused"):
        Publisher().connect()
