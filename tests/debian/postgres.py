"""The only place that makes, starts, stops and crashes a private PostgreSQL of Debian's."""

import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2

from tests.exits import at_exit, end_with_the_parent

INSTALLED = Path("/usr/lib/postgresql")
READY_SECONDS = 60
OPTIONS = {
    "listen_addresses": "",
    # A test's data need not survive a power cut.
    "fsync": "off",
    "max_connections": "200",
}


@dataclass
class Postgres:
    """One server; its address stays the same through stops and starts."""

    home: Path
    process: "subprocess.Popen[bytes] | None" = None
    options: dict[str, str] = field(default_factory=OPTIONS.copy)

    @classmethod
    def made_in(cls, folder: Path) -> "Postgres":
        """Initialise a server's data under the folder."""
        home = folder / "debian-postgres"
        home.mkdir(mode=0o700)
        if user := account():
            shutil.chown(home, user)
        made: list[str | Path] = [
            newest_binary("initdb"),
            "-D",
            home / "data",
            "-U",
            "postgres",
            "-A",
            "trust",
            "-N",
        ]
        subprocess.run(made, stdout=subprocess.DEVNULL, check=True, **identity())
        server = cls(home)
        at_exit(server.stop)
        return server

    @property
    def address(self) -> str:
        return f"postgresql://postgres@/postgres?host={self.home}"

    def start(self) -> None:
        """Start the server and return when it answers."""
        options = self.options | {"unix_socket_directories": str(self.home)}
        said = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [newest_binary("postgres"), "-D", self.home / "data", *said],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=lambda: end_with_the_parent(signal.SIGINT),
                **identity(),
            )
        wait_for_server(self.address)

    def stop(self) -> None:
        """Stop at once and in order: clients are cut off, nothing is lost."""
        self._end(signal.SIGINT)

    def crash(self) -> None:
        """Stop as a crash would: the next start recovers from the log."""
        self._end(signal.SIGQUIT)

    def tool(self, name: str, *arguments: str, database: str) -> None:
        """Run one of the server's own tools on a database, as its owner."""
        address = f"postgresql://postgres@/{database}?host={self.home}"
        command: list[str | Path] = [newest_binary(name), *arguments, "--dbname", address]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=120, **identity())

    def _end(self, number: int) -> None:
        if self.process is None:
            return
        self.process.send_signal(number)
        self.process.wait(timeout=READY_SECONDS)
        self.process = None


def newest_binary(name: str) -> Path:
    found = sorted(INSTALLED.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise FileNotFoundError("PostgreSQL is missing: apt-get install postgresql")
    return found[-1].parent / name


def account() -> str | None:
    """Return the account the server runs under where the test's own, root, is refused."""
    return "postgres" if os.geteuid() == 0 else None


def identity() -> dict[str, Any]:
    user = account()
    return {"cwd": "/", "user": user, "group": user, "extra_groups": None if user is None else []}


def wait_for_server(address: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            psycopg2.connect(address, connect_timeout=2).close()
        except psycopg2.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
