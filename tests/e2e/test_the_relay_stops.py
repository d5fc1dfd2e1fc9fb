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
START_SECONDS = 60


@pytest.fixture
def silent_broker() -> Iterator[socket.socket]:
    """A broker that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as server:
        server.settimeout(START_SECONDS)
        yield server


@pytest.mark.parametrize("wait_seconds", [0, 2, 6])
def test_a_silent_broker_does_not_keep_the_relay_from_ending(
    live_service: LiveService, silent_broker: socket.socket, wait_seconds: int
) -> None:
    address = f"amqp://guest:guest@127.0.0.1:{silent_broker.getsockname()[1]}//"
    relay = subprocess.Popen(
        [sys.executable, "manage.py", "run_relay"],
        cwd=CHECKOUT,
        env=os.environ | live_service.env | {"BROKER_URL": address},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        # It has begun when it speaks to the broker; in the meantime it waits or tries again.
        silent_broker.accept()
        time.sleep(wait_seconds)

        relay.send_signal(signal.SIGTERM)

        assert relay.wait(timeout=GRACE_SECONDS) == 0
    finally:
        relay.kill()
