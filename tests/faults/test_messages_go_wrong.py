"""Messages come twice, never, or broken; relays and beats run twice: every effect is there once."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path

from tests.faults.clients import Client
from tests.faults.clock import clock_at
from tests.faults.conftest import LoadMaker
from tests.faults.invariants import (
    assert_all_succeeded,
    attempts,
    wait_for_quiet,
)
from tests.faults.messages import publish, publish_group, task_message
from tests.faults.stack import SLOW, Stack

COPIES = 5
GROUP = 10
RELAY_DEATHS = ("relay_1", "relay_2")
RELAYS = ("relay", "relay-2")
# Both have looked at the table by then.
RELAY_TURNS_SECONDS = 2
# Of those that listen, only relays do on both.
RELAYS_THAT_LISTEN = """
SELECT count(*) FROM pg_stat_activity
WHERE query LIKE '%%LISTEN prediction_submitted; LISTEN prediction_finished'
"""
LETTERS = "SELECT count(*) FROM predictions_deadletter"


def test_a_message_that_comes_five_times_is_done_once(stack: Stack, load: LoadMaker) -> None:
    """The guard: a claim takes only what is still starting."""
    stack.service.start_worker("worker-2", env=SLOW)
    stack.service.freeze("relay")
    sent = load(per_second=200).send_all()

    for start in range(0, len(sent.ids), GROUP):
        publish_group(stack, sent.ids[start : start + GROUP], times=COPIES)
    wait_for_quiet(stack, sent)

    assert attempts(stack, sent) == {1: len(sent.ids)}
    assert_all_succeeded(stack, sent)


def test_a_relay_that_dies_around_publishing_strands_nothing(
    stack: Stack, load: LoadMaker, tmp_path: Path
) -> None:
    """The guard: the reaper takes back groups that were marked and that nobody claims."""
    armed = ",".join(f"{step}=kill" for step in RELAY_DEATHS)
    trap = {"FAILPOINTS": armed, "FAILPOINTS_FOLDER": str(tmp_path)}
    stack.alter_relay(**trap)

    with load() as sent:
        for _ in RELAY_DEATHS:
            stack.service.wait_until(
                lambda: not stack.service.is_running("relay"), "the relay has died"
            )
            stack.alter_relay(**trap)
    wait_for_quiet(stack, sent)

    assert {step.name for step in tmp_path.iterdir()} == set(RELAY_DEATHS)
    assert_all_succeeded(stack, sent)


def test_messages_that_nobody_can_read_are_put_aside_and_others_served(
    stack: Stack, load: LoadMaker
) -> None:
    """The guard: the consumer refuses what it cannot read, and the dead queue is moved."""
    letters = stack.query(LETTERS)[0][0]
    body, headers = task_message([[]], task="predictions.unheard_of")

    with load() as sent:
        publish(stack, b"{not json", task_message([[]])[1])
        publish(stack, body, headers)
        publish(stack, b"\x00\xff", {}, content_type="application/x-nonsense")
        # Ids that are no prediction's are nobody's: done, and nothing happens.
        publish(stack, *task_message([["0198c0de-0000-7000-8000-000000000000"]]))
    wait_for_quiet(stack, sent)

    stack.service.wait_until(
        lambda: stack.query(LETTERS)[0][0] == letters + 3, "three letters are dead"
    )
    assert_all_succeeded(stack, sent)


def test_two_of_each_relay_and_beat_have_the_effect_of_one(
    stack: Stack, load: LoadMaker, people: list[Client]
) -> None:
    """The guard: relays and reapers skip rows that another holds, duties compare and set."""
    # The first relay works, then.
    wait_for_quiet(stack, load(1).send_all())
    listening = stack.query(RELAYS_THAT_LISTEN)[0][0]
    stack.service.spawn("relay-2", kind="relay")
    stack.service.wait_until(
        lambda: stack.query(RELAYS_THAT_LISTEN)[0][0] > listening, "the second relay works"
    )
    unpaid = people[0].post("wallet/top-ups", {"amount": 5, "provider": "manual"})["id"]
    overdue = "UPDATE billing_topup SET expires_at = now() - interval '1 day' WHERE id = %s"
    stack.query(overdue, unpaid)
    just_before = datetime.now(UTC).replace(minute=14, second=45)
    for name in ("beat-1", "beat-2"):
        plan = stack.service.folder / name
        clock = clock_at(just_before)
        stack.service.spawn(name, kind="beat", env=clock, more=("--schedule", str(plan)))

    before = published(stack)
    for relay in RELAYS:
        stack.service.freeze(relay)
    sent = load(per_second=200).send_all()
    let_both_mark_at_once(stack)
    wait_for_quiet(stack, sent)
    for name in ("beat-1", "beat-2"):
        stack.service.wait_until(
            lambda name=name: "expire-top-ups" in stack.log_of(name),  # type: ignore[misc]
            f"{name} has sent its duty",
        )
    expired = "SELECT status FROM billing_topup WHERE id = %s"
    stack.service.wait_until(
        lambda: stack.query(expired, unpaid) == [("expired",)], "the top-up has expired"
    )

    assert published(stack) - before == len(sent.ids)
    assert attempts(stack, sent) == {1: len(sent.ids)}
    assert_all_succeeded(stack, sent)


def let_both_mark_at_once(stack: Stack) -> None:
    """Have the relays meet rows that another transaction holds, which it lets go of later."""
    with stack.service.connect() as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT 1 FROM predictions_prediction WHERE status = 'starting' FOR UPDATE")
        for relay in RELAYS:
            stack.service.thaw(relay)
        time.sleep(RELAY_TURNS_SECONDS)


def published(stack: Stack) -> int:
    """Count the predictions that the relays say they have published."""
    said = "".join(stack.log_of(path.stem) for path in stack.service.folder.glob("relay*.log"))
    lines = [json.loads(line) for line in said.splitlines() if '"group_published"' in line]
    return sum(line["predictions"] for line in lines)
