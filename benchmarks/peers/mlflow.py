"""MLflow's model server: a process group for each model, since one serves one."""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.load import http_request
from benchmarks.peers.environments import environment
from benchmarks.peers.served import SERVED
from benchmarks.rows import MODELS, Model, Row
from benchmarks.spawning import answers, end, spawn, wait_until
from tests.debian.ports import free_port


@dataclass
class MLflow:
    name: str = "MLflow"
    workers: int = 1
    expected: int = 200
    later: int = 0
    ports: dict[str, int] = field(default_factory=dict)
    pids: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def running(self) -> Iterator[None]:
        programs = environment("mlflow")
        with tempfile.TemporaryDirectory(prefix="mlflow-") as made, ExitStack() as stack:
            for slug in MODELS:
                stack.enter_context(self.serving(Model(slug), Path(made), programs))
            yield

    @contextmanager
    def serving(self, model: Model, folder: Path, programs: Path) -> Iterator[None]:
        env = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}", "DO_NOT_TRACK": "true"}
        log, saved = folder / f"{model.slug}.log", folder / model.slug
        writing = [programs / "python", SERVED / "mlflow_model.py", model.artifact, saved]
        subprocess.run(writing, env=env, cwd=folder, check=True, capture_output=True)
        port = self.ports[model.slug] = free_port()
        command: list[str | Path] = [
            *(programs / "mlflow", "models", "serve", "--model-uri", saved),
            *("--env-manager", "local", "--workers", str(self.workers)),
            *("--host", "127.0.0.1", "--port", str(port)),
        ]
        process = spawn(command, env=env, folder=folder, log=log)
        self.pids[model.slug] = process.pid
        try:
            wait_until(lambda: answers("GET", f"{self.address(model)}/ping"), process, log)
            yield
        finally:
            end(process)

    def address(self, model: Model) -> str:
        return f"http://127.0.0.1:{self.ports[model.slug]}"

    def request(self, model: Model, rows: Sequence[Row], number: int) -> str:
        table = {"columns": list(model.columns), "data": [model.values(row) for row in rows]}
        return http_request("/invocations", {"dataframe_split": table})

    def predictions(self, body: str) -> list[float]:
        values: list[float] = json.loads(body)["predictions"]
        return values

    def parts(self) -> Mapping[str, int]:
        return {f"MLflow, {slug}": pid for slug, pid in self.pids.items()}
