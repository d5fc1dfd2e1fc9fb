"""What `helm test` runs, against the running service: it buys a prediction, or says why not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.live import LiveService
from tests.e2e.people import PASSWORD, Person

SCRIPT = Path(__file__).resolve().parents[2] / "helm" / "mlservice" / "files" / "buy.py"

pytestmark = pytest.mark.whole


def buy(live_service: LiveService, **told: str) -> "subprocess.CompletedProcess[str]":
    where = {"ADDRESS": live_service.base_url, "HOST": "127.0.0.1", "PATH": os.environ["PATH"]}
    return subprocess.run(
        [sys.executable, "-I", str(SCRIPT)],
        env=where | told,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_in_demo_mode_it_needs_nobody(live_service: LiveService) -> None:
    done = buy(live_service, DEMO_MODE="true")

    assert done.returncode == 0, done.stderr
    assert "linear-regression predicted" in done.stdout
    assert "for 1 credits" in done.stdout


def test_elsewhere_it_buys_with_an_account_that_has_credits(live_service: LiveService) -> None:
    client = Person(live_service.base_url, credits=1)

    done = buy(live_service, USERNAME=client.username, PASSWORD=PASSWORD)
    again = buy(live_service, USERNAME=client.username, PASSWORD=PASSWORD)

    assert done.returncode == 0, done.stderr
    assert client.get("wallet")["balance"] == 0
    assert again.returncode == 1
    assert "402" in again.stderr


def test_with_nothing_to_pay_with_it_says_what_it_needs(live_service: LiveService) -> None:
    done = buy(live_service)

    assert done.returncode == 1
    assert "test.existingSecret" in done.stderr
