"""The faults that the soak draws from: each breaks something and leaves it whole again."""

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from uuid import uuid4

from tests.faults.messages import publish, task_message
from tests.faults.stack import Stack

Fault = Callable[[Stack, random.Random], None]

CUT_OFF = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"""
OUT = """SELECT group_id, array_agg(id::text) FROM predictions_prediction
         WHERE status IN ('starting', 'processing') AND published_at IS NOT NULL
         GROUP BY group_id LIMIT 5"""
COPIES = 5
LONGEST_AWAY_SECONDS = 6.0


def pause(chance: random.Random, longest: float = LONGEST_AWAY_SECONDS) -> None:
    time.sleep(chance.uniform(0.5, longest))


def kill_children(stack: Stack, chance: random.Random) -> None:
    for _ in range(5):
        if children := stack.service.children("worker"):
            with suppress(ProcessLookupError):
                os.kill(chance.choice(children), signal.SIGKILL)
        pause(chance, 1.0)


def kill_worker(stack: Stack, chance: random.Random) -> None:
    stack.kill("worker")
    pause(chance)
    stack.begin("worker")


def kill_relay(stack: Stack, chance: random.Random) -> None:
    stack.kill("relay")
    pause(chance)
    stack.begin("relay")


def kill_web(stack: Stack, chance: random.Random) -> None:
    stack.kill("web")
    pause(chance)
    stack.begin("web")


def kill_at_a_step(stack: Stack, chance: random.Random) -> None:
    """Let a worker die at one of the steps of claim and settlement, then run one that does not."""
    steps = [f"{name}_{step}" for name in ("claim", "predict") for step in (1, 2)]
    step = chance.choice([*steps, *(f"settle_{step}" for step in range(1, 5))])
    folder = stack.service.folder / f"steps-{uuid4().hex}"
    folder.mkdir()
    stack.alter_worker(FAILPOINTS=f"{step}=kill", FAILPOINTS_FOLDER=str(folder))
    stack.service.wait_until((folder / step).exists, f"a worker has died at {step}")
    stack.begin("worker")


def relay_dies_publishing(stack: Stack, chance: random.Random) -> None:
    step = chance.choice(["relay_1", "relay_2"])
    stack.alter_relay(FAILPOINTS=f"{step}=kill")
    stack.service.wait_until(
        lambda: not stack.service.is_running("relay"), f"the relay has died at {step}"
    )
    stack.begin("relay")


def stop_broker(stack: Stack, chance: random.Random) -> None:
    stack.rabbitmq.control("stop_app")
    pause(chance)
    stack.rabbitmq.control("start_app")


def kill_broker(stack: Stack, chance: random.Random) -> None:
    stack.rabbitmq.kill()
    pause(chance)
    stack.rabbitmq.start()


def alarm_broker(stack: Stack, chance: random.Random) -> None:
    with stack.memory_alarm():
        pause(chance, 2 * LONGEST_AWAY_SECONDS)


def restart_database(stack: Stack, chance: random.Random) -> None:
    stack.postgres.stop()
    pause(chance, 3.0)
    stack.postgres.start()


def crash_database(stack: Stack, chance: random.Random) -> None:
    stack.postgres.crash()
    pause(chance, 3.0)
    stack.postgres.start()


def cut_off_database(stack: Stack, chance: random.Random) -> None:
    stack.query(CUT_OFF)


def repeat_messages(stack: Stack, chance: random.Random) -> None:
    stack.service.wait_until(lambda: bool(stack.query(OUT)), "a message is out")
    for group, ids in stack.query(OUT):
        body, headers = task_message([ids], id=str(group))
        for _ in range(COPIES):
            publish(stack, body, headers)


def delete_queue(stack: Stack, chance: random.Random) -> None:
    stack.rabbitmq.control("delete_queue", chance.choice(["predictions", "bulk"]))


def lose_messages(stack: Stack, chance: random.Random) -> None:
    # While a worker runs, hardly any message waits.
    stack.kill("worker")
    stack.service.wait_until(lambda: stack.service.purge_broker() > 0, "messages are lost")
    stack.begin("worker")


def send_nonsense(stack: Stack, chance: random.Random) -> None:
    publish(stack, b"{not json", task_message([[]])[1])
    publish(stack, *task_message([[]], task="predictions.unheard_of"))
    publish(stack, *task_message([[str(uuid4())]]))


FAULTS: dict[str, Fault] = {
    "F1 children killed": kill_children,
    "F2 worker node killed": kill_worker,
    "F3 worker killed at a step": kill_at_a_step,
    "F4 broker stopped": stop_broker,
    "F4 broker killed": kill_broker,
    "F5 broker in alarm": alarm_broker,
    "F6 database restarted": restart_database,
    "F6 database crashed": crash_database,
    "F6 connections cut": cut_off_database,
    "F7 messages repeated": repeat_messages,
    "F8 relay dies publishing": relay_dies_publishing,
    "F8 relay killed": kill_relay,
    "F8 messages lost": lose_messages,
    "F9 queue deleted": delete_queue,
    "F10 unreadable messages": send_nonsense,
    "F16 web killed": kill_web,
}
