"""How the web processes serve, and that a stop answers those who wait."""

import os
import runpy
import selectors
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from predictions import waiting

FILE = Path(__file__).resolve().parents[2] / "mlservice" / "gunicorn.py"


@pytest.fixture
def stop_handler() -> Iterator[list[int]]:
    """Stand in for gunicorn's own handler of SIGTERM, and note its calls."""
    calls: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: calls.append(number))
    yield calls
    signal.signal(signal.SIGTERM, before)


def read(monkeypatch: pytest.MonkeyPatch, **environment: str) -> dict[str, Any]:
    for name in ("BIND_HOST", "PORT", "WEB_CONCURRENCY", "WEB_THREADS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return runpy.run_path(str(FILE))


def test_a_checkout_serves_its_own_machine_only(monkeypatch: pytest.MonkeyPatch) -> None:
    configuration = read(monkeypatch)

    assert configuration["bind"] == "127.0.0.1:8000"
    assert (configuration["workers"], configuration["threads"]) == (2, 32)


def test_the_environment_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    configuration = read(
        monkeypatch, BIND_HOST="0.0.0.0", PORT="9000", WEB_CONCURRENCY="1", WEB_THREADS="12"
    )

    assert configuration["bind"] == "0.0.0.0:9000"
    assert (configuration["workers"], configuration["threads"]) == (1, 12)


def test_the_longest_wait_is_not_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    configuration = read(monkeypatch)

    assert configuration["timeout"] > 60


def test_a_stop_wakes_those_who_wait_and_stops(
    monkeypatch: pytest.MonkeyPatch, stop_handler: list[int]
) -> None:
    waiters = waiting.Waiters()
    monkeypatch.setattr(waiting, "waiters", waiters)
    read(monkeypatch)["post_worker_init"](None)

    # The signal interrupts a holder of the lock, the worst that can happen to it.
    with waiters.lock:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.01)

    deadline = time.monotonic() + 5
    while not waiters.is_draining and time.monotonic() < deadline:
        time.sleep(0.01)
    assert waiters.is_draining
    assert stop_handler == [signal.SIGTERM]


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def stopped(
    monkeypatch: pytest.MonkeyPatch, listener: socket.socket, **altered: object
) -> list[bool]:
    """Stop a server that listens there; return how gunicorn's own stop was called."""
    calls: list[bool] = []
    server = SimpleNamespace(
        stop=calls.append,
        LISTENERS=[SimpleNamespace(sock=listener)],
        reexec_pid=0,
        master_pid=0,
        systemd=False,
    )
    vars(server).update(altered)
    read(monkeypatch)["when_ready"](server)
    server.stop(graceful=True)
    return calls


def connect(listener: socket.socket) -> socket.socket:
    return socket.create_connection(listener.getsockname(), timeout=0.3)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux turns newcomers away")
def test_on_a_stop_nobody_connects_any_more_and_who_has_is_answered(
    monkeypatch: pytest.MonkeyPatch, listener: socket.socket
) -> None:
    with connect(listener) as waiting_client:
        assert stopped(monkeypatch, listener) == [True]

        with pytest.raises(TimeoutError):
            connect(listener)
        accepted, _ = listener.accept()
        with accepted:
            waiting_client.sendall(b"all of it" * 10_000)
            waiting_client.shutdown(socket.SHUT_WR)
            with accepted.makefile("rb") as content:
                assert content.read() == b"all of it" * 10_000


def test_on_a_stop_a_worker_takes_all_that_wait_and_closes_its_listener(
    monkeypatch: pytest.MonkeyPatch, listener: socket.socket
) -> None:
    worker_class = read(monkeypatch)["Worker"]
    worker = worker_class.__new__(worker_class)
    taken: list[Any] = []
    vars(worker).update(
        alive=True,
        sockets=[listener],
        poller=selectors.DefaultSelector(),
        nr_conns=0,
        cfg=None,
        _accepting=False,
        enqueue_req=taken.append,
    )
    worker.set_accept_enabled(enabled=True)
    address = listener.getsockname()
    with connect(listener), connect(listener):
        worker.alive = False
        worker.set_accept_enabled(enabled=False)

        assert len(taken) == worker.nr_conns == 2
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, timeout=5)
    worker.poller.close()
    for one in taken:
        one.sock.close()


@pytest.mark.parametrize("altered", [{"reexec_pid": 7}, {"master_pid": 7}, {"systemd": True}])
def test_a_stop_leaves_a_listener_to_whoever_shares_it(
    monkeypatch: pytest.MonkeyPatch, listener: socket.socket, altered: dict[str, object]
) -> None:
    assert stopped(monkeypatch, listener, **altered) == [True]

    connect(listener).close()
