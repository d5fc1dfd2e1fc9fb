"""The tools that only the chart's tests run."""

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.chart.rendering import ROOT
from tests.debian.ports import free_port
from tests.exits import end_with_the_parent

ROOT_TOKEN = "root-of-this-test-run"
READY_SECONDS = 20


@pytest.fixture(scope="session")
def tools() -> Path:
    """Make sure that the tools are installed; return the folder they stand in."""
    subprocess.run([ROOT / "scripts" / "chart_tools.sh"], check=True)
    return ROOT / ".venv-chart" / "bin"


@dataclass(frozen=True)
class Vault:
    """A running server that speaks Vault's API."""

    address: str

    def ask(
        self, method: str, path: str, body: Any = None, *, token: str = ROOT_TOKEN
    ) -> tuple[int, Any]:
        """Return the status and what was answered."""
        request = urllib.request.Request(
            f"{self.address}/v1/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"X-Vault-Token": token},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else {}
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read().decode()

    def must(self, method: str, path: str, body: Any = None) -> Any:
        status, answer = self.ask(method, path, body)
        assert status < 300, (path, status, answer)
        return answer


@pytest.fixture(scope="session")
def vault(tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    """OpenBao, in memory, on a free port of this machine, until the tests have ended."""
    port = free_port()
    listening = ["-dev-listen-address", f"127.0.0.1:{port}", "-dev-root-token-id", ROOT_TOKEN]
    process = subprocess.Popen(
        [str(tools / "bao"), "server", "-dev", "-dev-no-store-token", *listening],
        cwd=tmp_path_factory.mktemp("vault"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: end_with_the_parent(9),
    )
    server = Vault(f"http://127.0.0.1:{port}")
    try:
        wait_until_it_answers(server)
        yield server
    finally:
        process.terminate()
        process.wait(timeout=READY_SECONDS)


def wait_until_it_answers(server: Vault) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        with suppress(OSError):
            if server.ask("GET", "sys/health")[0] == 200:
                return
        time.sleep(0.05)
    raise TimeoutError("OpenBao does not answer.")
