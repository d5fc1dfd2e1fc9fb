"""A worker's or a web process's clock is an hour wrong: the database's clock decides."""

import pytest

from tests.faults.clients import Client
from tests.faults.clock import clock_ahead
from tests.faults.conftest import LoadMaker
from tests.faults.form import sized
from tests.faults.invariants import assert_all_succeeded, attempts, wait_for_quiet
from tests.faults.stack import Stack

HOUR = 3_600
# Longer than the reaper's round: a lease that had ended already would be seen to.
LONG = {
    "FAILPOINTS": "predict_1=sleep:7",
    "PREDICTION_TIME_LIMIT_SECONDS": "20",
    "PREDICTION_LEASE_SECONDS": "25",
}


@pytest.mark.parametrize("hours", sized([1, -1], short=[-1]))
def test_a_worker_whose_clock_is_an_hour_wrong_keeps_its_leases(
    workerless: Stack, load: LoadMaker, hours: int
) -> None:
    """The guard: leases begin and end by the database's clock."""
    stack = workerless
    stack.service.freeze("relay")
    sent = load(sized(200, short=40), per_second=200).send_all()
    stack.alter_worker(**LONG, **clock_ahead(hours * HOUR))

    stack.service.thaw("relay")
    wait_for_quiet(stack, sent)

    assert attempts(stack, sent) == {1: len(sent.ids)}
    assert_all_succeeded(stack, sent)


def test_a_web_process_an_hour_behind_serves_with_its_own_tokens(
    stack: Stack, load: LoadMaker, people: list[Client]
) -> None:
    """The guard: rows are stamped by the database's clock, and tokens are given ten seconds."""
    late = stack.add_web("web-late", **clock_ahead(-HOUR))
    near = stack.add_web("web-near", **clock_ahead(-5))
    client = people[0]
    root, by_the_right_clock = client.root, client.session.headers["Authorization"]

    statuses = {}
    for name, address in (("near", near), ("late", late)):
        answer = client.session.get(f"{address}/api/v1/wallet", timeout=10)
        statuses[name] = answer.status_code
    try:
        client.root = f"{late}/api/v1"
        client.sign_in()
        sent = load(clients=[client], roots=[client.root]).send_all()
    finally:
        client.root = root
        client.session.headers["Authorization"] = by_the_right_clock
    wait_for_quiet(stack, sent)

    assert statuses == {"near": 200, "late": 401}
    age = "SELECT max(abs(extract(epoch FROM now() - created_at))) FROM predictions_prediction"
    oldest = stack.query(f"{age} WHERE id = ANY(%s::uuid[])", sent.ids)[0][0]
    assert oldest < HOUR / 2
    assert_all_succeeded(stack, sent)
