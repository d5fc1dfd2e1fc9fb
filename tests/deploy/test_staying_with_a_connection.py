"""Goal: a web thread stays with a connection that goes on at once, and keeps no other waiting.

Method: a worker's own loop over one end of a socket pair; gunicorn's answer to one request is a
stub that reads one byte.
"""

import runpy
import time
from collections.abc import Iterator
from pathlib import Path
from socket import socket, socketpair
from threading import Timer
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.workers import gthread  # type: ignore[import-untyped]
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

FILE = Path(__file__).resolve().parents[2] / "mlservice" / "gunicorn.py"
CONFIGURATION = runpy.run_path(str(FILE))
THREADS = 4


class Client:
    """Who is at the other end; a byte is a request, `answered` what was read of them."""

    def __init__(self, theirs: socket, ours: socket) -> None:
        self.socket = theirs
        self.connection = SimpleNamespace(sock=ours)
        self.answered = b""
        self.gives: list[Any] = []

    def ask(self, requests: bytes) -> None:
        self.socket.sendall(requests)

    def answer(self, worker: Any, connection: Any) -> Any:
        """Stand in for `ThreadWorker.handle`: answer a request, say whether to keep on."""
        self.answered += connection.sock.recv(1)
        return self.gives.pop(0) if self.gives else True


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    theirs, ours = socketpair()
    with theirs, ours:
        ours.settimeout(10)
        client = Client(theirs, ours)
        monkeypatch.setattr(
            ThreadWorker, "handle", lambda self, connection: client.answer(self, connection)
        )
        yield client


@pytest.fixture
def worker() -> Any:
    """Return a worker that runs and has as many connections as threads."""
    worker = CONFIGURATION["Worker"].__new__(CONFIGURATION["Worker"])
    worker.alive, worker.nr_conns = True, THREADS
    worker.cfg = SimpleNamespace(threads=THREADS)
    return worker


def test_requests_that_follow_at_once_are_answered_in_one_go(client: Client, worker: Any) -> None:
    client.ask(b"abc")

    is_kept = worker.handle(client.connection)

    assert (client.answered, is_kept) == (b"abc", True)


def test_a_request_that_comes_a_moment_after_the_answer_is_waited_for(
    client: Client, worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Long enough for a slow machine; that the moment is short is what the next test says.
    monkeypatch.setitem(worker.goes_on.__globals__, "GOES_ON_MILLISECONDS", 10_000)
    client.gives = [True, False]
    client.ask(b"a")
    later = Timer(0.05, client.ask, [b"b"])
    later.start()

    is_kept = worker.handle(client.connection)

    later.join()
    assert (client.answered, is_kept) == (b"ab", False)


def test_a_connection_that_is_quiet_is_given_back_to_be_kept(client: Client, worker: Any) -> None:
    client.ask(b"a")
    began = time.monotonic()

    is_kept = worker.handle(client.connection)

    assert (client.answered, is_kept) == (b"a", True)
    assert CONFIGURATION["GOES_ON_MILLISECONDS"] <= 5
    assert time.monotonic() - began < 1


def test_with_more_connections_than_threads_each_gets_one_turn(client: Client, worker: Any) -> None:
    worker.nr_conns = THREADS + 1
    client.ask(b"abc")

    is_kept = worker.handle(client.connection)

    assert (client.answered, is_kept) == (b"a", True)


def test_a_worker_that_stops_goes_on_with_nobody(
    client: Client, worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer_and_stop(self: Any, connection: Any) -> Any:
        worker.alive = client.answered != b"a"
        return client.answer(self, connection)

    monkeypatch.setattr(ThreadWorker, "handle", answer_and_stop)
    client.ask(b"abc")

    is_kept = worker.handle(client.connection)

    assert (client.answered, is_kept) == (b"ab", True)


# gunicorn says so of a connection that is to be closed, and of one that has yet to say anything.
@pytest.mark.parametrize("word", [False, gthread._DEFER])
def test_a_connection_that_gunicorn_does_not_keep_is_left(
    client: Client, worker: Any, word: object
) -> None:
    client.gives = [True, word]
    client.ask(b"abc")

    given = worker.handle(client.connection)

    assert client.answered == b"ab"
    assert given is word


def test_who_has_hung_up_is_noticed_by_gunicorn(client: Client, worker: Any) -> None:
    client.gives = [True, False]
    client.ask(b"a")
    client.socket.close()

    is_kept = worker.handle(client.connection)

    assert (client.answered, client.gives, is_kept) == (b"a", [], False)
