"""MLServer, as it comes and with its adaptive batching tuned."""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.load import http_request
from benchmarks.peers.environments import environment
from benchmarks.peers.served import SERVED
from benchmarks.rows import MODELS, Model, Row
from benchmarks.spawning import answers, end, spawn, wait_until
from tests.debian.ports import free_port

# Of the sizes and waits tried at 16 connections, these answered most; and more without a worker
# beside the server than with one or two.
TUNED: Mapping[str, float] = {"max_batch_size": 32, "max_batch_time": 0.005}
IN_ITS_OWN_PROCESS: Mapping[str, Any] = {"parallel_workers": 0}


@dataclass
class MLServer:
    name: str = "MLServer"
    batching: Mapping[str, float] = field(default_factory=dict)
    server: Mapping[str, Any] = field(default_factory=dict)
    expected: int = 200
    later: int = 0
    port: int = 0
    pid: int = 0

    @contextmanager
    def running(self) -> Iterator[None]:
        programs = environment("mlserver")
        with tempfile.TemporaryDirectory(prefix="mlserver-") as made:
            folder, self.port = Path(made), free_port()
            self.configure(folder)
            env = os.environ | {
                "PYTHONPATH": str(SERVED),
                "PATH": f"{programs}:{os.environ['PATH']}",
            }
            log = folder / "log"
            process = spawn(
                [programs / "mlserver", "start", folder], env=env, folder=folder, log=log
            )
            self.pid = process.pid
            try:
                for slug in MODELS:
                    ready = f"{self.address(Model(slug))}/v2/models/{slug}/ready"
                    wait_until(lambda ready=ready: answers("GET", ready), process, log)  # type: ignore[misc]
                yield
            finally:
                end(process)

    def configure(self, folder: Path) -> None:
        ports = {"http_port": self.port, "grpc_port": free_port(), "metrics_port": free_port()}
        own = {"host": "127.0.0.1", "debug": False, **ports, **self.server}
        (folder / "settings.json").write_text(json.dumps(own))
        for model in map(Model, MODELS):
            (folder / model.slug).mkdir()
            said = {
                "name": model.slug,
                "implementation": "mlserver_runtime.Columns",
                "parameters": {"uri": str(model.artifact)},
                **self.batching,
            }
            (folder / model.slug / "model-settings.json").write_text(json.dumps(said))

    def address(self, model: Model) -> str:
        return f"http://127.0.0.1:{self.port}"

    def request(self, model: Model, rows: Sequence[Row], number: int) -> str:
        inputs = [
            {
                "name": name,
                "shape": [len(rows), 1],
                "datatype": "BYTES" if kind == "string" else "FP64",
                "data": [row[name] for row in rows],
            }
            for name, kind in model.columns.items()
        ]
        return http_request(f"/v2/models/{model.slug}/infer", {"inputs": inputs})

    def predictions(self, body: str) -> list[float]:
        data: list[float] = json.loads(body)["outputs"][0]["data"]
        return data

    def parts(self) -> Mapping[str, int]:
        return {self.name: self.pid}
