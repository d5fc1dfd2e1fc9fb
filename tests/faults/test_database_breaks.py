"""The database stops, crashes, or comes back from a backup: polite refusals, then work goes on."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.live import execute
from tests.faults.clients import Client, Load
from tests.faults.conftest import LoadMaker
from tests.faults.form import PREDICTIONS
from tests.faults.invariants import assert_all_succeeded, wait_for_quiet
from tests.faults.stack import DATABASE, STANDARD, Stack

AWAY_SECONDS = 2
RECOVERED_SECONDS = 10
LONG_LEASE = {"PREDICTION_TIME_LIMIT_SECONDS": "30", "PREDICTION_LEASE_SECONDS": "40"}
# A beat of a worker may write the log out just then.
TRIES = 5
CUT_OFF = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
CLOCK = "SELECT clock_timestamp()"
SEND_A_DUTY = "from mlservice.celery import app; app.send_task('billing.expire_top_ups')"
FINISHED_SINCE = """SELECT count(*) FROM predictions_prediction
                    WHERE created_at > %s AND status = 'succeeded'"""


def restart(stack: Stack, **options: str) -> None:
    stack.postgres.stop()
    time.sleep(AWAY_SECONDS)
    stack.postgres.options |= options
    stack.postgres.start()


def crash(stack: Stack) -> None:
    stack.postgres.crash()
    time.sleep(AWAY_SECONDS)
    stack.postgres.start()


def cut_off(stack: Stack) -> None:
    stack.query(f"{CUT_OFF} AND backend_type = 'client backend'")


@pytest.mark.parametrize("fault", [restart, crash, cut_off])
def test_a_database_that_restarts_is_met_with_polite_refusals(
    stack: Stack, load: LoadMaker, fault: object
) -> None:
    """The guard: an error of the database becomes 503 problem+json, and relay and workers
    throw a broken connection away."""
    pids = {name: stack.service.processes[name].pid for name in STANDARD}

    with load(count=None, per_second=25) as sent:
        stack.service.wait_until(lambda: len(sent.ids) > PREDICTIONS // 4, "the load is under way")
        fault(stack)  # type: ignore[operator]
        back_at, back_clock = time.monotonic(), stack.query(CLOCK)[0][0]
        stack.service.wait_until(
            lambda: bool(stack.query(FINISHED_SINCE, back_clock)[0][0]),
            "something accepted since has succeeded",
            timeout_seconds=RECOVERED_SECONDS,
        )
        stack.service.wait_until(lambda: len(sent.ids) >= PREDICTIONS, "all is accepted")
    wait_for_quiet(stack, sent)

    refused = [answer for answer in sent.answers if not answer.is_accepted]
    assert [answer for answer in refused if not answer.is_polite_refusal] == []
    assert [one for one in refused if one.sent_at > back_at + RECOVERED_SECONDS] == []
    assert {name: stack.service.processes[name].pid for name in STANDARD} == pids
    assert all(stack.service.is_running(name) for name in STANDARD)
    assert_all_succeeded(stack, sent)


@pytest.fixture
def hesitant(workerless: Stack) -> Iterator[Stack]:
    """A database that brings to the disk only what somebody waits for."""
    restart(workerless, wal_writer_delay="10s")
    yield workerless
    restart(workerless, wal_writer_delay="200ms")


def test_what_a_crash_undoes_of_work_under_way_is_done_again_and_paid_once(
    hesitant: Stack, load: LoadMaker, people: list[Client]
) -> None:
    """The guard: who takes work along does not wait for the disk, and only one can settle."""
    stack = hesitant
    # A child that has not been at it for long takes along what has come meanwhile.
    stack.alter_worker(FAILPOINTS="predict_1=sleep:0.6", **LONG_LEASE)
    sent = load(0)

    is_undone = any(loses_what_was_taken(stack, people[0], sent) for _ in range(TRIES))
    sent.count = len(sent.ids)
    wait_for_quiet(stack, sent)

    assert is_undone
    assert_all_succeeded(stack, sent)


def loses_what_was_taken(stack: Stack, client: Client, sent: Load) -> bool:
    """Crash the database when a child has taken a second prediction; say whether that is undone."""
    accepted(client, sent, stack)
    stack.service.freeze("relay")
    second = accepted(client, sent, stack)
    stack.postgres.crash()
    stack.postgres.start()
    is_undone = attempts(stack, second) == 0
    stack.service.thaw("relay")
    stack.service.wait_until(stack.service.is_ready, "the web process is ready again")
    return is_undone


def accepted(client: Client, sent: Load, stack: Stack) -> str:
    """Send a prediction and return its id when a child has it."""
    answer, document = client.send(sent.bodies[0], root=client.root)
    assert document is not None, answer
    sent.accepted[document["id"]] = document
    stack.service.wait_until(lambda: attempts(stack, document["id"]) == 1, "a child has it")
    return str(document["id"])


def attempts(stack: Stack, prediction_id: str) -> int:
    [(attempt,)] = stack.query(
        "SELECT attempt FROM predictions_prediction WHERE id = %s", prediction_id
    )
    return int(attempt)


def test_every_duty_is_done_after_a_database_that_died(stack: Stack, people: list[Client]) -> None:
    """The guard: a child looks at the connection it kept before it begins a duty."""
    pids = stack.service.children("worker")
    # Some for each child, so that none is without a connection of before.
    for _ in range(6):
        expire_one(stack, people[0])

    crash(stack)
    stack.service.wait_until(stack.service.is_ready, "the web process is ready again")
    for _ in range(6):
        expire_one(stack, people[0])

    assert stack.service.children("worker") == pids


def expire_one(stack: Stack, client: Client) -> None:
    """Have a duty expire an overdue top-up, and fail if that one run does not."""
    unpaid = client.post("wallet/top-ups", {"amount": 5, "provider": "manual"})["id"]
    stack.query(
        "UPDATE billing_topup SET expires_at = now() - interval '1 day' WHERE id = %s", unpaid
    )
    sent = stack.service.run_python("-c", SEND_A_DUTY)
    assert sent.returncode == 0, sent.stderr
    stack.service.wait_until(
        lambda: (
            stack.query("SELECT status FROM billing_topup WHERE id = %s", unpaid) == [("expired",)]
        ),
        "the duty has expired the top-up",
        timeout_seconds=RECOVERED_SECONDS,
    )


def test_a_restored_backup_goes_on_where_it_stood_though_the_broker_is_empty(
    workerless: Stack, load: LoadMaker
) -> None:
    """The guard: groups that nobody claims are published again."""
    stack = workerless
    sent = load(per_second=200).send_all()
    published = "SELECT 1 FROM predictions_prediction WHERE published_at IS NOT NULL"
    stack.service.wait_until(
        lambda: bool(stack.query(f"{published} AND status = 'starting'")), "a message is out"
    )
    backup = stack.postgres.home / "backup"

    # As a loss of both would be: what came after the backup is gone, and so are the messages.
    stack.postgres.tool("pg_dump", "--format=custom", f"--file={backup}", database=DATABASE)
    execute(stack.postgres.address, "DROP DATABASE {} WITH (FORCE)", DATABASE)
    stack.service.purge_broker()
    execute(stack.postgres.address, "CREATE DATABASE {}", DATABASE)
    stack.postgres.tool("pg_restore", str(backup), database=DATABASE)
    Path(backup).unlink()
    stack.begin("worker")
    wait_for_quiet(stack, sent)

    assert_all_succeeded(stack, sent)
