"""The relay ends within its grace even while a broker keeps it waiting."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.e2e.live import CHECKOUT, LiveService

pytestmark = pytest.mark.broker

# The shortest that supervisor, compose or chart give it.
GRACE_SECONDS = 20


@pytest.fixture
def silent_broker() -> Iterator[str]:
    """A broker that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as server:
        yield f"amqp://guest:guest@127.0.0.1:{server.getsockname()[1]}//"


@pytest.mark.parametrize("wait_seconds", [1, 6])
def test_a_silent_broker_does_not_keep_the_relay_from_ending(
    live_service: LiveService, silent_broker: str, wait_seconds: int
) -> None:
    relay = subprocess.Popen(
        [sys.executable, "manage.py", "run_relay"],
        cwd=CHECKOUT,
        env=os.environ | live_service.env | {"BROKER_URL": silent_broker},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    time.sleep(4 + wait_seconds)
    assert relay.poll() is None

    relay.send_signal(signal.SIGTERM)

    try:
        assert relay.wait(timeout=GRACE_SECONDS) == 0
    finally:
        relay.kill()
