"""Workers are killed at any moment and at every step: what was accepted ends, and is paid once."""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.faults.conftest import LoadMaker
from tests.faults.form import sized
from tests.faults.invariants import assert_nothing_lost, wait_for_quiet
from tests.faults.stack import Stack

STEPS_OF_A_WORKER = (
    *("claim_1", "claim_2", "predict_1", "predict_2"),
    *("settle_1", "settle_2", "settle_3", "settle_4"),
)
WORK_SECONDS = 60
PROCESSING = "SELECT 1 FROM predictions_prediction WHERE status = 'processing' LIMIT 1"


def test_killed_children_lose_nothing(stack: Stack, load: LoadMaker) -> None:
    """The guard: claims of a lost child, or of a lease that ran out, go back to the queue."""
    kills = sized(20, short=6)

    with load() as sent:
        for _ in range(kills):
            kill_a_busy_child(stack)
    wait_for_quiet(stack, sent)

    assert_nothing_lost(stack, sent)


def test_killed_worker_groups_lose_nothing(stack: Stack, load: LoadMaker) -> None:
    """The guard: the reaper returns expired leases, for no process of the node is left to."""
    kills = sized(5, short=2)

    with load() as sent:
        for _ in range(kills):
            wait_for_work(stack)
            stack.service.kill("worker")
            stack.begin("worker")
    wait_for_quiet(stack, sent)

    assert_nothing_lost(stack, sent)


@pytest.mark.parametrize(
    "steps", sized([[step] for step in STEPS_OF_A_WORKER], short=[STEPS_OF_A_WORKER]), ids="-".join
)
def test_a_worker_killed_at_any_step_charges_once(
    workerless: Stack, load: LoadMaker, tmp_path: Path, steps: list[str]
) -> None:
    """The guard: a settlement is one transaction, and only what is free is claimed."""
    stack = workerless
    armed = ",".join(f"{step}=kill" for step in steps)
    stack.alter_worker(FAILPOINTS=armed, FAILPOINTS_FOLDER=str(tmp_path))

    sent = load().send_all()
    wait_for_quiet(stack, sent)

    assert {reached.name for reached in tmp_path.iterdir()} == set(steps)
    assert_nothing_lost(stack, sent)


def wait_for_work(stack: Stack) -> None:
    """Look without a pause: a group is processed for a few milliseconds only."""
    deadline = time.monotonic() + WORK_SECONDS
    with stack.service.connect() as connection, connection.cursor() as cursor:
        cursor.execute(PROCESSING)
        while cursor.fetchone() is None:
            assert time.monotonic() < deadline, "nothing is processed"
            cursor.execute(PROCESSING)


def kill_a_busy_child(stack: Stack) -> None:
    """Kill any child at a random moment while there is work; it may just have been replaced."""
    wait_for_work(stack)
    time.sleep(random.uniform(0, 0.2))
    stack.service.wait_until(lambda: bool(stack.service.children("worker")), "there are children")
    try:
        os.kill(random.choice(stack.service.children("worker")), signal.SIGKILL)
    except (ProcessLookupError, IndexError):
        kill_a_busy_child(stack)
