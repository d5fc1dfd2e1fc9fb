"""Each alert rings when it should and else is silent, and the runbook says what to do then."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.metrics.alerts import FAULTS, MISTAKABLE, never_ringing, ringing, silent

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "helm" / "mlservice" / "files" / "alerts.yaml"
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
ALERTS: dict[str, Any] = {
    rule["alert"]: rule
    for group in yaml.safe_load(RULES.read_text())["groups"]
    for rule in group["rules"]
}


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is missing: apt-get install prometheus")
    return found


def passes(promtool: str, folder: Path, *cases: dict[str, Any]) -> tuple[bool, str]:
    written = folder / "tests.yaml"
    document = {"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": list(cases)}
    written.write_text(yaml.safe_dump(document))
    done = subprocess.run(
        [promtool, "test", "rules", written], capture_output=True, text=True, check=False
    )
    return done.returncode == 0, done.stdout + done.stderr


def test_the_rules_are_valid(promtool: str) -> None:
    done = subprocess.run(
        [promtool, "check", "rules", RULES], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(ALERTS)} rules found" in done.stdout


def test_nothing_rings_in_a_healthy_service(promtool: str, tmp_path: Path) -> None:
    is_so, said = passes(promtool, tmp_path, silent())

    assert is_so, said


def test_every_alert_rings_at_its_fault(promtool: str, tmp_path: Path) -> None:
    is_so, said = passes(promtool, tmp_path, *(ringing(alert) for alert in ALERTS))

    assert is_so, said


@pytest.mark.parametrize("alert", MISTAKABLE)
def test_what_looks_like_its_fault_rings_nothing(promtool: str, tmp_path: Path, alert: str) -> None:
    is_so, said = passes(promtool, tmp_path, never_ringing(alert))

    assert is_so, said


def test_every_alert_has_a_fault_of_its_own() -> None:
    assert set(FAULTS) == set(ALERTS)


def test_a_fault_that_does_not_ring_is_noticed(promtool: str, tmp_path: Path) -> None:
    without_its_fault = ringing("MLServiceDeadLetters")
    without_its_fault["input_series"] = silent()["input_series"]

    is_so, _ = passes(promtool, tmp_path, without_its_fault)

    assert not is_so


def test_the_runbook_has_an_entry_for_each_alert_and_for_nothing_else() -> None:
    entries = re.findall(r"^### (MLService\w+)$", RUNBOOK, flags=re.MULTILINE)

    assert sorted(entries) == sorted(ALERTS)


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_says_how_grave_it_is_and_where_to_read_on(alert: str) -> None:
    rule = ALERTS[alert]

    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"]["runbook"] == f"docs/runbook.md#{alert.lower()}"
    assert rule["annotations"]["summary"].endswith(".")
