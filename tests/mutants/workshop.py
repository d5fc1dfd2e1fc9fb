"""The only place that copies the checkout and runs tests on the copy, whole or mutated."""

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

from tests.mutants import Mutant
from tests.servers import ensure_servers

CHECKOUT = Path(__file__).resolve().parents[2]
# What git leaves out and tests need: packages, trained models.
LINKED = (".venv", ".dvc/cache", "ml_models/build")
# The ledger machine also looks for the shortest steps that fail.
LIMIT_SECONDS = 900


def copy_checkout(target: Path) -> None:
    """Copy what git knows or would add, link what is heavy, compile the translations."""
    copy_files(target)
    link(target, *LINKED)
    subprocess.run(["scripts/compile_translations.sh"], cwd=target, check=True)


def copy_files(target: Path) -> None:
    """Copy what git knows or would add: what a machine has that trained nothing."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(listing, cwd=CHECKOUT, check=True, capture_output=True, text=True)
    for name in filter(None, listed.stdout.split("\0")):
        source, copy = CHECKOUT / name, target / name
        # Listed is also what was deleted and not yet committed.
        if source.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy)


def link(target: Path, *names: str) -> None:
    for name in names:
        (target / name).symlink_to((CHECKOUT / name).resolve())


def run_tests(checkout: Path, nodes: list[str]) -> tuple[str, str]:
    """Run the named tests; return `passed`, `failed`, `broken` or `hung`, and the output.

    Broken is a run in which no test failed but something else did, a collection say.
    """
    ensure_servers()
    command = [".venv/bin/python", "-m", "pytest", "-q", "-rfE", *nodes]
    # The package names its own settings when it is imported, as it was here.
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"}
    # A mutated file may have the size and the second of the one that was compiled.
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    # Shortening the steps that fail would take minutes and kill no better.
    environment["PYTEST_ADDOPTS"] = "--ledger-as-found"
    process = subprocess.Popen(
        command,
        cwd=checkout,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=LIMIT_SECONDS * len(nodes))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return "hung", process.communicate()[0]
    return verdict(process.returncode, output), output


def verdict(code: int, output: str) -> str:
    if code == 0:
        return "passed"
    has_failed = re.search(r"^FAILED ", output, flags=re.MULTILINE)
    return "failed" if code == 1 and has_failed else "broken"


def try_mutant(mutant: Mutant, checkout: Path) -> tuple[bool, str]:
    """Drop the guard in the copy, run the named test, mend the copy; say whether it was killed."""
    file = checkout / mutant.path
    whole = file.read_text()
    file.write_text(mutant.applied_to(whole))
    try:
        outcome, output = run_tests(checkout, [mutant.killed_by])
    finally:
        file.write_text(whole)
    return outcome == "failed" or (mutant.may_hang and outcome == "hung"), output
