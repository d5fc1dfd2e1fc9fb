"""Servers that behave badly on purpose: they hang, drip, stop half-way or speak HTML."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Behaviour = Callable[[socket.socket], None]

DRIP_SECONDS = 0.2


def hang(connection: socket.socket) -> None:
    """Take the request and say nothing; reading ends when the client has gone."""
    while connection.recv(4_096):
        pass


def drip(connection: socket.socket) -> None:
    """Promise an object and give a byte at a time, for ever, each well within a read's limit."""
    connection.recv(4_096)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        connection.sendall(b"x")
        time.sleep(DRIP_SECONDS)


def drip_headers(connection: socket.socket) -> None:
    """The same before the answer has begun."""
    connection.recv(4_096)
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Drip: ")
    while True:
        connection.sendall(b"x")
        time.sleep(DRIP_SECONDS)


def cut_off(content: bytes) -> Behaviour:
    """Promise the whole object, give half of it and close."""

    def behave(connection: socket.socket) -> None:
        connection.recv(4_096)
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\n\r\n".encode()
        connection.sendall(head + content[: len(content) // 2])

    return behave


def answer(body: bytes, *, status: str = "200 OK", kind: str = "text/html") -> Behaviour:
    def behave(connection: socket.socket) -> None:
        connection.recv(4_096)
        head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)

    return behave


@contextmanager
def serving(behave: Behaviour) -> Iterator[str]:
    """Behave so towards everybody who connects; give the address."""
    listener = socket.create_server(("127.0.0.1", 0))

    def speak(connection: socket.socket) -> None:
        # Whoever asked may have given up.
        with connection, suppress(OSError):
            behave(connection)

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=speak, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(timeout=5)
