"""The broker stops, dies, fills up or loses its queues: clients notice nothing, work waits."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

import pytest

from tests.faults.clients import Client, Load, p99
from tests.faults.conftest import LoadMaker
from tests.faults.form import PREDICTIONS, sized
from tests.faults.invariants import assert_all_succeeded, wait_for_quiet
from tests.faults.stack import Stack

HALF = PREDICTIONS // 2
ACCEPT_SECONDS = 1.0
Trouble = Callable[[Stack], AbstractContextManager[None]]
# The relay gives a broker that is silent three seconds, and the next try another three.
NOTICED_SECONDS = 15


@contextmanager
def stopped(stack: Stack) -> Iterator[None]:
    stack.rabbitmq.control("stop_app")
    yield
    stack.rabbitmq.control("start_app")


@contextmanager
def killed(stack: Stack) -> Iterator[None]:
    stack.rabbitmq.kill()
    yield
    stack.rabbitmq.start()


@pytest.mark.parametrize("away", [stopped, killed])
def test_requests_are_accepted_while_the_broker_is_away(
    stack: Stack, load: LoadMaker, people: list[Client], away: Trouble
) -> None:
    """The guard: what the broker refused is taken back, and a dead connection thrown away."""
    go_on_accepting(stack, load, people[0], away)


@pytest.mark.parametrize("alarm", [Stack.memory_alarm, Stack.disk_alarm])
def test_requests_are_accepted_while_the_broker_has_an_alarm(
    stack: Stack, load: LoadMaker, people: list[Client], alarm: Trouble
) -> None:
    """The guard: the publisher's socket timeouts, without which it would wait for ever."""
    go_on_accepting(stack, load, people[0], alarm)


def go_on_accepting(stack: Stack, load: LoadMaker, client: Client, trouble: Trouble) -> None:
    """Send before and during the trouble; every request is accepted at once, no thread is stuck."""
    noticed = stack.log_of("relay").count("relay_broker_away")
    before = load(HALF).send_all()

    with trouble(stack):
        during = load(HALF, per_second=sized(5, short=10)).send_all()
        stack.service.wait_until(
            lambda: stack.log_of("relay").count("relay_broker_away") > noticed,
            "the relay has noticed",
            timeout_seconds=NOTICED_SECONDS,
        )
        with every_thread_waiting(stack, load, client) as crowd:
            pass
    wait_for_quiet(stack, before, during, crowd)

    assert [answer for answer in during.answers if not answer.is_accepted] == []
    assert p99(during.answers) < ACCEPT_SECONDS
    assert_all_succeeded(stack, before, during, crowd)


def test_a_queue_that_was_deleted_is_noticed_and_made_again(
    workerless: Stack, load: LoadMaker
) -> None:
    """The guard: messages are mandatory, else the broker confirms what reaches no queue."""
    stack = workerless
    # Without workers: their connections declare the queues as well.
    before = load(HALF, per_second=200).send_all()
    noticed = stack.log_of("relay").count("queue_was_missing")
    stack.service.freeze("relay")
    stack.query("UPDATE predictions_prediction SET published_at = NULL WHERE status = 'starting'")
    stack.rabbitmq.control("delete_queue", "predictions")
    stack.service.thaw("relay")

    after = load(HALF).send_all()
    stack.service.wait_until(
        lambda: stack.log_of("relay").count("queue_was_missing") > noticed,
        "the relay has noticed",
        timeout_seconds=NOTICED_SECONDS,
    )
    stack.begin("worker")
    wait_for_quiet(stack, before, after)

    assert_all_succeeded(stack, before, after)


@contextmanager
def every_thread_waiting(stack: Stack, load: LoadMaker, client: Client) -> Iterator[Load]:
    """Have each web thread wait for one locked wallet: none that is stuck could."""
    threads = int(stack.service.env["WEB_THREADS"])
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    crowd = load(threads, clients=[client] * threads, per_second=1_000, keyed=False)
    lock = "SELECT 1 FROM billing_wallet WHERE user_id = %s FOR UPDATE"
    # The connection is closed first, which lets them go; then the crowd is waited for.
    with ExitStack() as crowded, stack.service.connect() as connection:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute(lock, [client.user_id])
        crowded.enter_context(crowd)
        stack.service.wait_until(
            lambda: stack.query(waiting)[0][0] == threads, "every web thread waits for the wallet"
        )
        yield crowd
