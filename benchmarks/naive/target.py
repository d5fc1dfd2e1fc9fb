"""The naive build as a target, over the same tables and the same users."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import requests

from benchmarks.load import http_request
from benchmarks.ours import Ours
from benchmarks.rows import Model, Row
from benchmarks.spawning import end, spawn
from tests.debian.ports import free_port
from tests.e2e.live import CHECKOUT

COMMANDS = {
    "web": ["gunicorn", "-c", "mlservice/gunicorn.py", "benchmarks.naive.wsgi"],
    "worker": ["celery", "-A", "benchmarks.naive", "worker", "--concurrency", "2"],
}


@dataclass
class Naive(Ours):
    """A web server and a worker, with as many processes and threads as ours."""

    name: str = "naive"
    later: int = 0
    port: int = 0

    @contextmanager
    def running(self) -> Iterator[None]:
        self.port = free_port()
        own = {"DJANGO_SETTINGS_MODULE": "benchmarks.naive.settings", "PORT": str(self.port)}
        try:
            for part, command in COMMANDS.items():
                self.service.processes[part] = spawn(
                    [self.service.python, "-m", *command],
                    env=self.service.env | own,
                    folder=CHECKOUT,
                    log=self.service.folder / f"naive-{part}.log",
                )
            self.service.wait_until(self.is_there, "the naive web process answers")
            self.warm_up()
            yield
        finally:
            for part in list(self.service.processes):
                end(self.service.processes.pop(part))

    def is_there(self) -> bool:
        try:
            return requests.get(f"{self.home}/predictions", timeout=5).status_code == 401
        except requests.RequestException:
            return False

    @property
    def home(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def predict(self, model: Model, rows: Sequence[Row]) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.tokens[0]}"}
        url = f"{self.home}/predictions"
        return requests.post(url, json=self.body(model, rows), headers=headers, timeout=60)

    def address(self, model: Model) -> str:
        return self.home

    def request(self, model: Model, rows: Sequence[Row], number: int) -> str:
        headers = {"Authorization": f"Bearer {self.tokens[number % len(self.tokens)]}"}
        return http_request("/predictions", self.body(model, rows), **headers)

    def bare(self, model: Model, rows: Sequence[Row], number: int) -> str:
        """Spell out the request that stores its body and does nothing else."""
        headers = {"Authorization": f"Bearer {self.tokens[number % len(self.tokens)]}"}
        return http_request("/bare", self.body(model, rows), **headers)

    def parts(self) -> Mapping[str, int]:
        return {f"naive {part}": process.pid for part, process in self.service.processes.items()}
