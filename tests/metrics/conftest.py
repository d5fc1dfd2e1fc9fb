"""The whole service under watch: measured, and traced to a collector of the test's own."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from mlservice.lib.metrics.counting import FOLDER
from tests.debian.ports import free_port
from tests.e2e.environment import PLAIN, SMALL, UNHURRIED
from tests.e2e.live import LiveService, own_database
from tests.metrics.collector import Collector, collecting

TOKEN = "a token for scraping only"
PASSWORD = "a long phrase marked PASSWORD-7391"
# Values of their own, longer than any time that a log tells, so that they would be found.
ROW = {
    "carat": 0.73918462,
    "depth": 61.73918462,
    "table": 57.73918462,
    "x": 5.73918462,
    "y": 5.83918462,
    "z": 3.53918462,
}


@dataclass
class Watched:
    service: LiveService
    collector: Collector
    ports: dict[str, int]
    access: str = ""

    def scrape(self, role: str) -> dict[str, list[Any]]:
        """Return what a role shows Prometheus, sample by sample under its name."""
        address = f"http://127.0.0.1:{self.ports[role]}/metrics"
        shown = requests.get(address, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10)
        assert shown.status_code == 200, (role, shown.status_code)
        found: dict[str, list[Any]] = {}
        for family in text_string_to_metric_families(shown.text):
            for sample in family.samples:
                found.setdefault(sample.name, []).append(sample)
        return found

    def post(self, path: str, body: Any, **headers: str) -> requests.Response:
        if self.access:
            headers["Authorization"] = f"Bearer {self.access}"
        address = f"{self.service.base_url}/api/v1/{path}"
        return requests.post(address, json=body, headers=headers, timeout=90)

    def sign_in(self) -> None:
        """Register somebody with credits enough for the test."""
        who = {"username": "watched", "password": PASSWORD}
        assert self.post("auth/register", who | {"email": "w@example.com"}).status_code == 201
        self.access = self.post("auth/token", who).json()["access"]
        assert self.post("wallet/top-ups", {"amount": 1_000, "provider": "demo"}).ok

    def predict(self, **headers: str) -> requests.Response:
        example = requests.get(
            f"{self.service.base_url}/api/v1/models/linear-regression",
            headers={"Authorization": f"Bearer {self.access}"},
            timeout=10,
        ).json()["example"]
        body = {"model": "linear-regression", "input": example | ROW}
        return self.post("predictions", body, Prefer="wait=60", **headers)


@pytest.fixture(scope="session")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """Web, relay and a worker of two children, on the run's servers and a database of their own."""
    ports = {role: free_port() for role in ("web", "relay", "worker")}
    with own_database(os.environ["DATABASE_URL"], purpose="watched") as address, collecting() as to:
        own = {
            "DATABASE_URL": address,
            "BROKER_URL": own_messages(os.environ["BROKER_URL"]),
            "PORT": str(ports["web"]),
            "METRICS_TOKEN": TOKEN,
            "OTEL_EXPORTER_OTLP_ENDPOINT": to.address,
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            "LOG_LEVEL": "DEBUG",
        }
        # The test's own process counts elsewhere.
        given = {name: value for name, value in os.environ.items() if name != FOLDER}
        more = {"WEB_CONCURRENCY": "2", "BIND_HOST": "127.0.0.1"}
        service = LiveService(
            base_url=f"http://127.0.0.1:{ports['web']}",
            env=given | PLAIN | SMALL | UNHURRIED | more | own,
            folder=Path(tmp_path_factory.mktemp("watched")),
        )
        try:
            start(service, ports)
            found = Watched(service, to, ports)
            found.sign_in()
            yield found
        finally:
            service.stop()


def own_messages(address: str) -> str:
    """Give a part of the run's broker where no worker of another service takes messages away."""
    if not address.startswith("redis+socket:"):
        pytest.skip("two services at once need the checkout's own broker")
    return f"{address}?virtual_host=1"


def start(service: LiveService, ports: dict[str, int]) -> None:
    service.purge_broker()
    service.manage("prepare_database", "--verbosity", "0")
    service.manage("publish_model", "--all")
    service.manage("collectstatic", "--noinput", "--verbosity", "0")
    service.spawn("web")
    service.spawn("relay", env={"METRICS_PORT": str(ports["relay"])})
    service.start_worker(env={"METRICS_PORT": str(ports["worker"])})
    service.wait_until(service.is_ready, "the web process is ready")
