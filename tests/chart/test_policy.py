"""What checkov says of the rendered chart: nothing that has no written reason."""

import json
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.chart.rendering import objects

CASES = ("dev", "prod", "vault")
EXCEPTIONS: dict[str, dict[str, Any]] = yaml.safe_load(
    Path(__file__).with_name("policy-exceptions.yaml").read_text()
)
Finding = tuple[str, str, str]


OPTIONS = [
    "--framework",
    "kubernetes",
    "--skip-download",
    "--quiet",
    "--compact",
    "--output",
    "json",
]


def check(tools: Path, folder: Path) -> dict[str, Any]:
    """Run the checker once over what the cases render."""
    for case in CASES:
        (folder / f"{case}.yaml").write_text(yaml.safe_dump_all(objects(case)))
    done = subprocess.run(
        [tools / "checkov", "--directory", folder, *OPTIONS],
        capture_output=True,
        text=True,
        check=False,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


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


def test_every_reason_is_written_out() -> None:
    assert all(len(reason["why"].split()) > 5 for reason in EXCEPTIONS.values())


# One test, for the checker takes its time.
def test_nothing_is_found_without_a_written_reason_and_no_reason_is_left_over(
    tools: Path, tmp_path: Path
) -> None:
    checked = check(tools, tmp_path)

    found = findings(checked)
    assert checked["summary"]["passed"] > 1000
    assert checked["summary"]["parsing_errors"] == 0
    assert checked["summary"]["skipped"] == 0
    assert {each for each in found if not is_excepted(each)} == set()
    assert EXCEPTIONS.keys() == {check for check, _, _ in found}
    # With Vault's agent no secret is a variable.
    assert ("CKV_K8S_35", "vault") not in {each[:2] for each in found}
