"""The only place that runs the whole service over a database and a broker of its own.

What a test breaks, ends or adds is put right by `restore`, so that one stack serves all.
"""

import os
import shutil
import tempfile
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from tests.debian.ports import free_port
from tests.debian.postgres import Postgres
from tests.debian.rabbitmq import DISK_FREE_LIMIT, RabbitMQ
from tests.e2e.environment import PLAIN, SHORT_LEASE, SMALL, UNHURRIED
from tests.e2e.live import LiveService, execute, with_database
from tests.exits import remove_in_the_end

DATABASE = "mlservice_faults"
MEMORY_LIMIT = "0.4"
# A prediction takes long enough that a fault finds some in a worker's hands.
SLOW: Mapping[str, str] = {"FAILPOINTS": "predict_1=sleep:0.1"}
SECRETS = {
    "SECRET_KEY": "a key for tests only, long enough to satisfy every check",
    "JWT_SIGNING_KEY": "another key for tests only, also long enough",
}
STANDARD = {"web", "relay", "worker"}


@dataclass
class Stack:
    """Web, relay and a worker of two children, on own servers that a test may stop."""

    postgres: Postgres
    rabbitmq: RabbitMQ
    service: LiveService
    # What is not as it stands after `start`, and must be started anew.
    altered: set[str] = field(default_factory=set)

    def start(self) -> None:
        self.service.env["MODEL_STORE_DIR"] = str(self.service.folder / "models")
        self.service.start(worker_env=SLOW)

    def restore(self, *, without: Container[str] = ()) -> None:
        """Heal the servers, end what was added and start what is missing or altered."""
        self.heal_servers()
        for name in set(self.service.processes) - STANDARD | self.altered:
            self.kill(name)
        self.altered.clear()
        for name in ("web", "relay", "worker"):
            if name in without:
                self.kill(name)
            elif self.service.is_running(name):
                self.service.thaw(name)
            else:
                self.begin(name)

    def heal_servers(self) -> None:
        if self.postgres.process is None:
            self.postgres.start()
        if self.rabbitmq.process is None:
            self.rabbitmq.start()

    def begin(self, name: str) -> None:
        """Start one of the standard processes as it should be, in place of what is there."""
        self.end(name)
        if name == "worker":
            self.service.start_worker(env=SLOW)
        else:
            self.service.spawn(name)
        if name == "web":
            self.service.wait_until(lambda: is_ready(self.service.base_url), "web is ready")

    def end(self, name: str) -> None:
        """End a process in order where it runs."""
        if self.service.is_running(name):
            self.service.end(name)
        self.service.processes.pop(name, None)

    def kill(self, name: str) -> None:
        if self.service.is_running(name):
            self.service.kill(name)
        self.service.processes.pop(name, None)

    def alter_worker(self, **env: str) -> None:
        """Have the worker run with another environment until the test is over."""
        self.end("worker")
        self.altered.add("worker")
        self.service.start_worker(env=env)

    def alter_relay(self, **env: str) -> None:
        """Have the relay run with another environment until the test is over."""
        self.end("relay")
        self.altered.add("relay")
        self.service.spawn("relay", env=env)

    def add_web(self, name: str, **env: str) -> str:
        """Start one more web process on a port of its own and return its address."""
        port = str(free_port())
        self.service.spawn(name, kind="web", env={"PORT": port, **env})
        address = f"http://127.0.0.1:{port}"
        self.service.wait_until(lambda: is_ready(address), f"{name} is ready")
        return address

    @contextmanager
    def memory_alarm(self) -> Iterator[None]:
        """Have the broker take nothing, as it does when its memory runs out."""
        self.rabbitmq.control("set_vm_memory_high_watermark", "0.000001")
        try:
            yield
        finally:
            self.rabbitmq.control("set_vm_memory_high_watermark", MEMORY_LIMIT)

    @contextmanager
    def disk_alarm(self) -> Iterator[None]:
        """Have the broker take nothing, as it does when its disk is full."""
        self.rabbitmq.control("set_disk_free_limit", "900GB")
        try:
            yield
        finally:
            self.rabbitmq.control("set_disk_free_limit", DISK_FREE_LIMIT)

    def log_of(self, name: str) -> str:
        return (self.service.folder / f"{name}.log").read_text(errors="replace")

    def query(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self.service.query(statement, parameters)


def is_ready(address: str) -> bool:
    with suppress(requests.RequestException):
        return requests.get(f"{address}/readyz", timeout=5).ok
    return False


@contextmanager
def running_stack(settings: Mapping[str, str] = SHORT_LEASE) -> Iterator[Stack]:
    """Start everything, hand it over, and end everything by the processes' own ids."""
    # Sockets need a short path, and the database's account must pass through.
    folder = Path(tempfile.mkdtemp(prefix="mlservice-faults-", dir="/tmp"))
    remove_in_the_end(folder)
    folder.chmod(0o711)
    postgres = Postgres.made_in(folder)
    rabbitmq = RabbitMQ.made_in(folder)
    try:
        postgres.start()
        rabbitmq.start()
        with running_service(folder, postgres, rabbitmq, settings) as service:
            stack = Stack(postgres, rabbitmq, service)
            stack.start()
            yield stack
    finally:
        rabbitmq.put_away()
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running_service(
    folder: Path, postgres: Postgres, rabbitmq: RabbitMQ, settings: Mapping[str, str]
) -> Iterator[LiveService]:
    execute(postgres.address, "CREATE DATABASE {}", DATABASE)
    port = str(free_port())
    logs = folder / "logs"
    logs.mkdir()
    own = {
        "DATABASE_URL": with_database(postgres.address, DATABASE),
        "BROKER_URL": rabbitmq.address,
        "PORT": port,
    }
    env = os.environ | SECRETS | PLAIN | SMALL | UNHURRIED | dict(settings) | own
    service = LiveService(base_url=f"http://127.0.0.1:{port}", env=env, folder=logs)
    try:
        yield service
    finally:
        for name in list(service.processes):
            service.kill(name)
