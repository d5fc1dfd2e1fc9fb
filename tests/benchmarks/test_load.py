"""The load sends what it was given, counts what came back, and refuses what it did not expect."""

import json
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from benchmarks.load import Silent, drive, http_request, is_installed

pytestmark = pytest.mark.skipif(not is_installed(), reason="wrk is missing: apt-get install wrk")


class Echo(BaseHTTPRequestHandler):
    """Gives the body back, with the status that it asks for."""

    protocol_version = "HTTP/1.1"
    # Headers and body in one packet: else the body waits for the first to be acknowledged.
    wbufsize = -1

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(json.loads(body)["status"])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: the load ends by breaking its connections."""


@pytest.fixture
def echo() -> Iterator[str]:
    with Server(("127.0.0.1", 0), Echo) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def asking(*statuses: int) -> list[str]:
    bodies = ({"status": status, "text": 'a "quoted" line\n'} for status in statuses)
    return [http_request("/", body, X_Token="secret") for body in bodies]


def test_answers_are_counted_and_some_are_kept(echo: str) -> None:
    measured = drive(echo, asking(200), connections=2, seconds=1)

    assert measured.answered > 10
    assert measured.otherwise == 0
    assert {json.loads(body)["text"] for _, body in measured.samples} == {'a "quoted" line\n'}
    assert 0 < measured.p50_ms <= measured.p99_ms <= measured.max_ms


def test_what_is_not_expected_is_no_figure(echo: str) -> None:
    with pytest.raises(AssertionError):
        drive(echo, asking(200, 503), connections=2, seconds=1)


def test_what_is_tolerated_is_counted_apart(echo: str) -> None:
    measured = drive(echo, asking(201, 202), connections=2, seconds=1, expected=201, tolerated=202)

    assert measured.answered > 0
    assert measured.otherwise > 0


def test_a_pause_holds_back_each_connection(echo: str) -> None:
    at_once = drive(echo, asking(200), connections=1, seconds=1)
    paced = drive(echo, asking(200), connections=1, seconds=2, pause_ms=100)

    assert 5 <= paced.answered <= 60 < at_once.answered


def test_silence_is_no_figure() -> None:
    # Connections are taken and never answered.
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(Silent):
        drive(f"http://127.0.0.1:{server.getsockname()[1]}", asking(200), connections=1, seconds=1)
