"""The service itself as a target: its real processes, many users, waiting for each answer."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests

from benchmarks.load import http_request
from benchmarks.rows import MODELS, Model, Row
from tests.e2e.live import NOTHING, LiveService

WAIT_SECONDS = 30
# The name, and what its workers are told: estimators predict themselves, as they do elsewhere.
PLAIN = "ours, plain predict"
PLAINLY = {"DJANGO_SETTINGS_MODULE": "benchmarks.plain_settings"}
API = "/api/v1/predictions"


@dataclass
class Ours:
    """Web, relay and one worker node, started and ended around a turn."""

    service: LiveService
    tokens: Sequence[str] = field(repr=False)
    name: str = "ours"
    expected: int = 201
    later: int = 202
    workers: int = 2
    worker_env: Mapping[str, str] = field(default_factory=dict)

    @contextmanager
    def running(self) -> Iterator[None]:
        with self.accepting():
            self.start_working()
            self.warm_up()
            yield

    @contextmanager
    def accepting(self) -> Iterator[None]:
        """Start the web processes alone: what is accepted waits in the table."""
        self.service.purge_broker()
        try:
            self.service.spawn("web")
            self.service.wait_until(self.service.is_ready, "the web process is ready")
            yield
        finally:
            for name in list(self.service.processes):
                self.service.end(name)

    def start_working(self) -> None:
        """Start the relay, and a worker node with so many children."""
        self.service.spawn("relay")
        began = self.service.query("SELECT clock_timestamp()")[0][0]
        children = ("--concurrency", str(self.workers))
        self.service.spawn("worker", env=self.worker_env or NOTHING, more=children)
        beat = "SELECT 1 FROM predictions_worker WHERE seen_at > %s"
        self.service.wait_until(lambda: bool(self.service.query(beat, [began])), "a worker beats")

    def warm_up(self) -> None:
        """Have every process and thread predict before anything is measured."""
        for model in map(Model, MODELS):
            for row in model.rows(4):
                answer = self.predict(model, [row])
                assert answer.status_code == self.expected, answer.text

    def predict(self, model: Model, rows: Sequence[Row]) -> requests.Response:
        return requests.post(
            self.service.base_url + API,
            json=self.body(model, rows),
            headers={"Authorization": f"Bearer {self.tokens[0]}", "Prefer": f"wait={WAIT_SECONDS}"},
            timeout=2 * WAIT_SECONDS,
        )

    def address(self, model: Model) -> str:
        return self.service.base_url

    def request(self, model: Model, rows: Sequence[Row], number: int) -> str:
        token = self.tokens[number % len(self.tokens)]
        headers = {"Authorization": f"Bearer {token}", "Prefer": f"wait={WAIT_SECONDS}"}
        return http_request(API, self.body(model, rows), **headers)

    def accept_only(self, model: Model, rows: Sequence[Row], number: int) -> str:
        """Spell out the request that does not wait for its answer."""
        token = self.tokens[number % len(self.tokens)]
        return http_request(API, self.body(model, rows), Authorization=f"Bearer {token}")

    @staticmethod
    def body(model: Model, rows: Sequence[Row]) -> dict[str, Any]:
        return {"model": model.slug, "input": rows[0] if len(rows) == 1 else list(rows)}

    def predictions(self, body: str) -> list[float]:
        return [row["prediction"] for row in json.loads(body)["output"]]

    def parts(self) -> Mapping[str, int]:
        return {name: process.pid for name, process in self.service.processes.items()}
