"""What checkov says of the rendered chart: nothing that has no written reason."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.rendering import objects

CASES = ("dev", "prod", "vault")
EXCEPTIONS: dict[str, dict[str, Any]] = yaml.safe_load(
    Path(__file__).with_name("policy-exceptions.yaml").read_text()
)
Finding = tuple[str, str, str]


@pytest.fixture(scope="module")
def checked(tools: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("manifests")
    for case in CASES:
        (folder / f"{case}.yaml").write_text(yaml.safe_dump_all(objects(case)))
    done = subprocess.run(
        [tools / "checkov", "--directory", folder, *OPTIONS],
        env={**os.environ, "CKV_IGNORE_HIDDEN_DIRECTORIES": "false"},
        capture_output=True,
        text=True,
        check=False,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


OPTIONS = [
    "--framework",
    "kubernetes",
    "--skip-download",
    "--quiet",
    "--compact",
    "--output",
    "json",
]


def findings(checked: dict[str, Any]) -> set[Finding]:
    """Return check, case and kind of everything that was found."""
    return {
        (each["check_id"], Path(each["file_path"]).stem, each["resource"].partition(".")[0])
        for each in checked["results"]["failed_checks"]
    }


def is_excepted(finding: Finding) -> bool:
    check, case, kind = finding
    reason = EXCEPTIONS.get(check)
    return bool(reason and kind in reason["where"] and case in reason.get("only", CASES))


def test_nothing_is_found_that_has_no_written_reason(checked: dict[str, Any]) -> None:
    assert checked["summary"]["passed"] > 1000
    assert checked["summary"]["parsing_errors"] == 0
    assert checked["summary"]["skipped"] == 0
    assert {each for each in findings(checked) if not is_excepted(each)} == set()


def test_every_reason_is_written_and_still_needed(checked: dict[str, Any]) -> None:
    found = {check for check, _, _ in findings(checked)}

    assert EXCEPTIONS.keys() == found
    assert all(len(reason["why"]) > 40 for reason in EXCEPTIONS.values())


def test_with_vaults_agent_no_secret_of_the_service_is_a_variable(checked: dict[str, Any]) -> None:
    assert not {each for each in findings(checked) if each[:2] == ("CKV_K8S_35", "vault")}
