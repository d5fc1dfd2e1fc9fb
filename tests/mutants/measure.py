"""Measure with mutmut how much of a change to the money is noticed: `make mutmut`."""

import json
import os
import shutil
import subprocess
import sys

from tests.mutants.workshop import CHECKOUT, copy_checkout
from tests.servers import ensure_servers

# Kept after the run, so that `mutmut show` and `mutmut browse` work in it.
FOLDER = CHECKOUT / ".local" / "mutmut"
STATS = FOLDER / "mutants" / "mutmut-cicd-stats.json"
KILLED_AT_LEAST = 0.9


def main() -> int:
    shutil.rmtree(FOLDER, ignore_errors=True)
    copy_checkout(FOLDER)
    ensure_servers()
    # All mutants share one database, so one is tried after the other.
    mutmut("run", "--max-children", "1")
    mutmut("results")
    mutmut("export-cicd-stats")
    said = json.loads(STATS.read_text())
    noticed, total = said["killed"] + said["timeout"], said["total"]
    print(f"{noticed} of {total} killed: {noticed / total:.1%}")
    return 0 if noticed >= KILLED_AT_LEAST * total else 1


def mutmut(*arguments: str) -> None:
    # The package names its own settings when it is imported, as it was here.
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"}
    command = [".venv/bin/python", "-m", "mutmut", *arguments]
    subprocess.run(command, cwd=FOLDER, env=environment, check=True)


if __name__ == "__main__":
    sys.exit(main())
