"""The broker stops, dies, fills up or loses its queues: clients notice nothing, work waits."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager

import pytest

from tests.faults.clients import Client, p99
from tests.faults.conftest import LoadMaker
from tests.faults.form import PREDICTIONS, sized
from tests.faults.invariants import assert_all_succeeded, wait_for_quiet
from tests.faults.stack import Stack

HALF = PREDICTIONS // 2
ACCEPT_SECONDS = 1.0
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
    stack: Stack, load: LoadMaker, away: Callable[[Stack], AbstractContextManager[None]]
) -> None:
    """The guard: what the broker refused is taken back, and a dead connection thrown away."""
    before = load(HALF).send_all()

    with away(stack):
        during = load(HALF).send_all()
    wait_for_quiet(stack, before, during)

    assert [answer for answer in during.answers if not answer.is_accepted] == []
    assert p99(during.answers) < ACCEPT_SECONDS
    assert_all_succeeded(stack, before, during)


@pytest.mark.parametrize("alarm", [Stack.memory_alarm, Stack.disk_alarm])
def test_requests_are_accepted_while_the_broker_has_an_alarm(
    stack: Stack,
    load: LoadMaker,
    people: list[Client],
    alarm: Callable[[Stack], AbstractContextManager[None]],
) -> None:
    """The guard: the publisher's socket timeouts, without which it would wait for ever."""
    noticed = stack.log_of("relay").count("relay_broker_away")
    before = load(HALF).send_all()

    with alarm(stack):
        during = load(HALF, per_second=sized(5, short=10)).send_all()
        stack.service.wait_until(
            lambda: stack.log_of("relay").count("relay_broker_away") > noticed,
            "the relay has noticed",
            timeout_seconds=NOTICED_SECONDS,
        )
        busy = threads_that_answer(stack, people[0], during.bodies[0])
    wait_for_quiet(stack, before, during)

    assert [answer for answer in during.answers if not answer.is_accepted] == []
    assert p99(during.answers) < ACCEPT_SECONDS
    assert busy == int(stack.service.env["WEB_THREADS"])
    assert_all_succeeded(stack, before, during)


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


def threads_that_answer(stack: Stack, client: Client, body: dict[str, object]) -> int:
    """Count the web threads that are free: each is made to wait for one locked wallet."""
    wanted = int(stack.service.env["WEB_THREADS"])
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    counts = []

    def ask(_: int) -> int:
        return client.session.post(f"{client.root}/predictions", json=body, timeout=60).status_code

    with ThreadPoolExecutor(wanted) as pool:
        with stack.service.connect() as connection, connection.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute(
                "SELECT 1 FROM billing_wallet WHERE user_id = %s FOR UPDATE", [client.user_id]
            )
            answers = pool.map(ask, range(wanted))
            stack.service.wait_until(
                lambda: counts.append(stack.query(waiting)[0][0]) or counts[-1] >= wanted,
                "every web thread waits for the wallet",
            )
        assert set(answers) == {202}
    return counts[-1]
