"""The only place that runs the whole service for a test: its real processes, its own database."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import kombu
import psycopg2
import requests
from psycopg2 import sql

from tests.exits import end_with_the_parent

CHECKOUT = Path(__file__).resolve().parents[2]
QUEUES = ("predictions", "bulk", "duties")
CELERY = ["-m", "celery", "-A", "mlservice"]
# What Python is told.
COMMANDS = {
    "web": ["-m", "gunicorn", "-c", "mlservice/gunicorn.py", "mlservice.wsgi"],
    "relay": ["manage.py", "run_relay"],
    "worker": [*CELERY, "worker", "--queues", ",".join(QUEUES), "--concurrency", "2"],
    "beat": [*CELERY, "beat"],
}
NOTHING: Mapping[str, str] = {}
START_SECONDS = 60
STOP_SECONDS = 30
LOG_TAIL_CHARACTERS = 4_000


@dataclass
class LiveService:
    """Web, relay and worker as they run in production, each a process group of its own."""

    base_url: str
    env: dict[str, str] = field(repr=False)
    folder: Path
    checkout: Path = CHECKOUT
    python: str = sys.executable
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def start(self, *, worker_env: Mapping[str, str] = NOTHING) -> None:
        """Make the tables, publish the models and return when the service takes work."""
        self.purge_broker()
        self.manage("prepare_database", "--verbosity", "0")
        self.manage("publish_model", "--all")
        self.manage("collectstatic", "--noinput", "--verbosity", "0")
        self.spawn("web")
        self.spawn("relay")
        self.start_worker(env=worker_env)
        self.wait_until(self.is_ready, "the web process is ready")

    def stop(self) -> None:
        for name in list(self.processes):
            self.end(name)

    def spawn(
        self,
        name: str,
        *,
        kind: str = "",
        env: Mapping[str, str] = NOTHING,
        more: Sequence[str] = (),
    ) -> None:
        """Start a process of a kind, by default the one it is named after.

        From the main thread only: the process ends with the thread that started it.
        """
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [self.python, *COMMANDS[kind or name], *more],
                cwd=self.checkout,
                env={**self.env, **env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=lambda: end_with_the_parent(signal.SIGKILL),
            )

    def end(self, name: str) -> None:
        """Let a process finish what it does; fail when that takes longer than its grace."""
        process = self.processes.pop(name)
        process.terminate()
        try:
            process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            kill_group(process)
            raise AssertionError(f"{name} did not end.\n{self.logs()}") from None

    def start_worker(self, name: str = "worker", *, env: Mapping[str, str] = NOTHING) -> None:
        """Start a worker node and return when it has announced itself."""
        began = self.query("SELECT clock_timestamp()")[0][0]
        self.spawn(name, kind="worker", env=env, more=("--hostname", f"{name}@%h"))
        beat = "SELECT 1 FROM predictions_worker WHERE seen_at > %s AND name LIKE %s"
        self.wait_until(
            lambda: bool(self.query(beat, [began, f"{name}@%"])), f"the node {name} is ready"
        )

    def freeze(self, name: str) -> None:
        """Keep a process from running, as a starved machine would, until it is thawed."""
        os.killpg(self.processes[name].pid, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        os.killpg(self.processes[name].pid, signal.SIGCONT)

    def kill(self, name: str) -> None:
        """End a process and all its children as a power cut would."""
        kill_group(self.processes.pop(name))

    def is_running(self, name: str) -> bool:
        return name in self.processes and self.processes[name].poll() is None

    def children(self, name: str) -> list[int]:
        """Return the ids of the processes that a node's main process has forked."""
        of_threads = Path(f"/proc/{self.processes[name].pid}/task").glob("*/children")
        return [int(pid) for listed in of_threads for pid in listed.read_text().split()]

    def manage(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a management command against this service."""
        done = self.try_manage(*arguments)
        assert done.returncode == 0, f"manage.py {' '.join(arguments)}\n{done.stdout}{done.stderr}"
        return done

    def try_manage(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return self.run_python("manage.py", *arguments)

    def run_python(
        self, *arguments: str, timeout_seconds: float = 120
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [self.python, *arguments],
            cwd=self.checkout,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )

    @contextmanager
    def connect(self) -> Iterator[Any]:
        """Open a connection of one's own to the service's database, in autocommit."""
        connection = psycopg2.connect(self.env["DATABASE_URL"])
        connection.autocommit = True
        try:
            yield connection
        finally:
            connection.close()

    def query(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return list(cursor.fetchall()) if cursor.description else []

    def purge_broker(self) -> int:
        """Lose every message that waits in the broker; return how many there were."""
        with kombu.Connection(self.env["BROKER_URL"]) as connection:
            return sum(purge(connection, queue) for queue in QUEUES)

    def wait_until(
        self, is_so: Callable[[], bool], what: str, *, timeout_seconds: float = START_SECONDS
    ) -> None:
        """Return once it is so; fail with the ends of the logs when it is not in time."""
        deadline = time.monotonic() + timeout_seconds
        while not is_so():
            if time.monotonic() > deadline:
                raise AssertionError(f"Not in {timeout_seconds} s: {what}.\n{self.logs()}")
            time.sleep(0.1)

    def logs(self) -> str:
        tails = (
            f"--- {log.name}\n{log.read_text(errors='replace')[-LOG_TAIL_CHARACTERS:]}"
            for log in sorted(self.folder.glob("*.log"))
        )
        return "\n".join(tails)

    def is_ready(self) -> bool:
        try:
            return requests.get(f"{self.base_url}/readyz", timeout=5).ok
        # A machine with much to do may take long over the first answer.
        except requests.RequestException:
            return False


def kill_group(process: "subprocess.Popen[bytes]") -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def purge(connection: kombu.Connection, queue: str) -> int:
    """Empty a queue that may not be there yet."""
    with connection.channel() as channel:
        try:
            return int(kombu.Queue(queue)(channel).purge() or 0)
        except connection.channel_errors:
            return 0


@contextmanager
def own_database(address: str, *, purpose: str = "live") -> Iterator[str]:
    """Make a database beside the one addressed, give its address, and drop it in the end."""
    name = f"mlservice_{purpose}_{os.getpid()}"
    execute(address, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
    execute(address, "CREATE DATABASE {}", name)
    try:
        yield with_database(address, name)
    finally:
        execute(address, "DROP DATABASE {} WITH (FORCE)", name)


def execute(address: str, statement: str, name: str) -> None:
    connection = psycopg2.connect(with_database(address, "postgres"))
    # A database is not made inside a transaction.
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL(statement).format(sql.Identifier(name)))
    finally:
        connection.close()


def with_database(address: str, name: str) -> str:
    # Put together by hand: the library drops the slashes of an address that names no host.
    parts = urlsplit(address)
    return f"postgresql://{parts.netloc}/{name}?{parts.query}"
