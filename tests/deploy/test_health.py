"""How a container's health is told, from outside of its process."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from django.db import connection, transaction
from django.utils import timezone

from deploy import health
from predictions.models import Worker

NAME = f"worker@{socket.gethostname()}"


@pytest.fixture
def sleeper() -> Iterator[int]:
    """A process that wakes often, as the relay does."""
    endless = "import time\nwhile True: time.sleep(0.02)"
    process = subprocess.Popen([sys.executable, "-c", endless])
    yield process.pid
    process.kill()
    process.wait()


@pytest.fixture
def database(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    options = connection.get_connection_params()
    parts = {"dbname": options["dbname"], "user": options.get("user"), "host": options.get("host")}
    parts |= {"port": options.get("port"), "password": options.get("password")}
    address = " ".join(f"{name}='{value}'" for name, value in parts.items() if value)
    monkeypatch.setenv("DATABASE_URL", address)


def test_a_process_that_turns_is_well(sleeper: int) -> None:
    assert health.turns(0.5, process=sleeper)


def test_a_process_that_hangs_is_not(sleeper: int) -> None:
    os.kill(sleeper, signal.SIGSTOP)
    os.waitpid(sleeper, os.WUNTRACED)

    assert not health.turns(0.5, process=sleeper)


def test_a_worker_with_a_fresh_heartbeat_is_well(database: None) -> None:
    Worker.objects.create(name=NAME, children=2)

    assert health.worker_beats()


def test_a_node_for_duties_is_known_by_its_own_name(database: None) -> None:
    Worker.objects.create(name=f"duties@{socket.gethostname()}", children=1)

    assert health.worker_beats("duties")
    assert not health.worker_beats("worker")


def test_a_worker_with_a_stale_heartbeat_is_not(database: None) -> None:
    Worker.objects.create(name=NAME, children=2, seen_at=timezone.now() - timedelta(minutes=1))

    assert not health.worker_beats()


def test_a_database_that_is_away_is_not_the_workers_illness(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")

    assert health.worker_beats()


def test_a_database_that_does_not_answer_is_not_either(database: None) -> None:
    with transaction.atomic():
        connection.cursor().execute("LOCK TABLE predictions_worker IN ACCESS EXCLUSIVE MODE")

        assert health.worker_beats()


@pytest.mark.parametrize(("status", "is_well"), [(200, True), (503, False)])
def test_the_web_is_as_well_as_it_says(
    monkeypatch: pytest.MonkeyPatch, status: int, is_well: bool
) -> None:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

    server = HTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.handle_request, daemon=True).start()
    monkeypatch.setenv("PORT", str(server.server_port))

    assert health.web_answers() is is_well
    server.server_close()
