"""A killed child's work goes on at once, and what cannot be read hurts nobody.

The lease is made so long that only the node's main process can have noticed.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kombu
import pytest

from tests.e2e.live import LiveService
from tests.e2e.people import Person

pytestmark = pytest.mark.broker

LEASE_SECONDS = 600
SOON_SECONDS = 60
PREDICTIONS = 12


@pytest.fixture
def armed(
    live_service: LiveService, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[LiveService]:
    """The service with a worker whose steps are armed once each, and which never lets go."""
    live_service.end("worker")
    before = dict(live_service.env)
    live_service.env |= {
        "FAILPOINTS": request.param,
        "FAILPOINTS_FOLDER": str(tmp_path),
        "PREDICTION_LEASE_SECONDS": str(LEASE_SECONDS),
    }
    live_service.start_worker()
    yield live_service
    live_service.end("worker")
    live_service.env = before
    live_service.start_worker()


@pytest.mark.parametrize("armed", ["claim_1=kill,predict_2=kill,settle_3=kill"], indirect=True)
def test_the_work_of_killed_children_goes_on_long_before_the_lease_ends(
    armed: LiveService, tmp_path: Path
) -> None:
    person = Person(armed.base_url, credits=PREDICTIONS)
    model = person.get("models/linear-regression")
    armed.freeze("relay")
    ids = [person.predict(model) for _ in range(PREDICTIONS)]
    armed.thaw("relay")

    wait_for(armed, ids, timeout_seconds=SOON_SECONDS)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["claim_1", "predict_2", "settle_3"]
    wallet = person.get("wallet")
    assert (wallet["balance"], wallet["held"]) == (0, 0)
    assert "clean" in armed.manage("audit_ledger").stdout


@pytest.mark.parametrize("armed", ["predict_1=sleep:600"], indirect=True)
@pytest.mark.parametrize("is_frozen", [False, True], ids=["soft limit", "hard limit"])
def test_a_prediction_that_takes_too_long_fails_and_is_released(
    armed: LiveService, is_frozen: bool
) -> None:
    person = Person(armed.base_url, credits=1)
    slow = person.predict(person.get("models/linear-regression"))
    claimed = "SELECT claimed_by FROM predictions_prediction WHERE claimed_by <> '' AND id = %s"
    armed.wait_until(lambda: bool(armed.query(claimed, [slow])), "it is claimed")

    if is_frozen:
        # A stopped process hears of no soft limit.
        os.kill(int(armed.query(claimed, [slow])[0][0].rpartition("/")[2]), signal.SIGSTOP)
    armed.wait_until(
        lambda: person.get(f"predictions/{slow}")["status"] == "failed",
        "it failed",
        timeout_seconds=SOON_SECONDS,
    )

    wallet = person.get("wallet")
    assert person.get(f"predictions/{slow}")["error_code"] == "timeout"
    assert (wallet["balance"], wallet["held"]) == (1, 0)


def test_messages_that_cannot_be_read_hurt_nobody(live_service: LiveService) -> None:
    person = Person(live_service.base_url, credits=1)
    model = person.get("models/linear-regression")
    is_rabbitmq = live_service.env["BROKER_URL"].startswith("amqp")

    for body, headers in BAD_MESSAGES:
        send(live_service, body, headers)
    ids = [person.predict(model)]
    wait_for(live_service, ids, timeout_seconds=SOON_SECONDS)

    if is_rabbitmq:
        dead = "SELECT count(*) FROM predictions_deadletter"
        live_service.wait_until(
            lambda: live_service.query(dead) == [(len(BAD_MESSAGES),)], "each is a dead letter"
        )


KNOWN = {"task": "predictions.run", "id": "0197b7a2-5f0e-7c3a-9d7e-2f4b8a1c6e55"}
BAD_MESSAGES: list[tuple[bytes, dict[str, Any]]] = [
    (b"{not json", KNOWN),
    (b"5", KNOWN),
    (b"[[], {}, {}]", {}),
    (b"[[], {}, {}]", {"task": "predictions.unheard_of", "id": "1"}),
    (b'[[["no id"]], {}, {}]', KNOWN),
    (b"[[[]], {}, {}]", KNOWN | {"id": "no id"}),
]


def send(service: LiveService, body: bytes, headers: dict[str, Any]) -> None:
    with kombu.Connection(service.env["BROKER_URL"]) as connection:
        connection.Producer().publish(
            body,
            exchange="predictions",
            routing_key="predictions",
            content_type="application/json",
            content_encoding="utf-8",
            headers=headers,
        )


def wait_for(service: LiveService, ids: list[str], *, timeout_seconds: float) -> None:
    done = (
        "SELECT count(*) FROM predictions_prediction"
        " WHERE status = 'succeeded' AND id = ANY(%s::uuid[])"
    )
    service.wait_until(
        lambda: service.query(done, [ids]) == [(len(ids),)],
        "all succeeded",
        timeout_seconds=timeout_seconds,
    )
