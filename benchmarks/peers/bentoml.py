"""BentoML, without and with its adaptive batching."""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load import http_request
from benchmarks.peers.environments import environment
from benchmarks.peers.served import SERVED
from benchmarks.rows import FOREST, LINEAR, Model, Row
from benchmarks.spawning import answers, end, spawn, wait_until
from tests.debian.ports import free_port

ENDPOINTS = {FOREST: "forest", LINEAR: "linear"}


@dataclass
class BentoML:
    name: str = "BentoML"
    is_batched: bool = False
    workers: int = 1
    expected: int = 200
    later: int = 0
    port: int = 0
    pid: int = 0

    @contextmanager
    def running(self) -> Iterator[None]:
        programs = environment("bentoml")
        with tempfile.TemporaryDirectory(prefix="bentoml-") as made:
            folder, self.port = Path(made), free_port()
            log = folder / "log"
            command: list[str | Path] = [
                *(programs / "bentoml", "serve", "bentoml_service:Diamonds"),
                *("--host", "127.0.0.1", "--port", str(self.port)),
            ]
            process = spawn(command, env=self.env(folder, programs), folder=SERVED, log=log)
            self.pid = process.pid
            try:
                wait_until(lambda: answers("GET", f"{self.home}/readyz"), process, log)
                yield
            finally:
                end(process)

    def env(self, folder: Path, programs: Path) -> dict[str, str]:
        artifacts = {f"ARTIFACT_{name}": Model(slug).artifact for slug, name in ENDPOINTS.items()}
        own = {
            "BATCHED": "1" if self.is_batched else "0",
            "WORKERS": str(self.workers),
            "BENTOML_HOME": str(folder),
            "BENTOML_DO_NOT_TRACK": "True",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PATH": f"{programs}:{os.environ['PATH']}",
            **{name: str(path) for name, path in artifacts.items()},
        }
        return os.environ | own

    @property
    def home(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def address(self, model: Model) -> str:
        return self.home

    def request(self, model: Model, rows: Sequence[Row], number: int) -> str:
        body = {"rows": [model.values(row) for row in rows]}
        return http_request(f"/{ENDPOINTS[model.slug]}", body)

    def predictions(self, body: str) -> list[float]:
        values: list[float] = json.loads(body)
        return values

    def parts(self) -> Mapping[str, int]:
        return {self.name: self.pid}
