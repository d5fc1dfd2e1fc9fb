"""Run every mutant of a list against its named test: `python -m tests.mutants money [part]`."""

import argparse
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path

from tests.mutants import Mutant
from tests.mutants.workshop import copy_checkout, run_tests, try_mutant


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.mutants", description=__doc__)
    parser.add_argument("list", help="a module of tests/mutants with MUTANTS in it")
    parser.add_argument("part", nargs="?", default="", help="only names that contain this")
    wanted = parser.parse_args()
    listed: list[Mutant] = import_module(f"tests.mutants.{wanted.list}").MUTANTS
    mutants = [mutant for mutant in listed if wanted.part in mutant.name]
    if not mutants:
        parser.error(f"No mutant of {wanted.list} is named so.")
    with tempfile.TemporaryDirectory(prefix="mlservice-mutants-") as folder:
        return try_all(mutants, Path(folder))


def try_all(mutants: list[Mutant], checkout: Path) -> int:
    """Print what became of each; return 1 when any survived, or the tests fail without one."""
    copy_checkout(checkout)
    outcome, output = run_tests(checkout, sorted({mutant.killed_by for mutant in mutants}))
    if outcome != "passed":
        print(output, "The named tests must pass before anything is dropped.", sep="\n")
        return 1
    survivors = [mutant for mutant in mutants if not is_killed(mutant, checkout)]
    print(f"{len(mutants) - len(survivors)} of {len(mutants)} killed")
    return 1 if survivors else 0


def is_killed(mutant: Mutant, checkout: Path) -> bool:
    began = time.monotonic()
    killed, output = try_mutant(mutant, checkout)
    seconds = time.monotonic() - began
    word = "killed" if killed else "SURVIVED"
    print(f"{word:8} {seconds:5.1f} s  {mutant.name}  [{mutant.killed_by}]", flush=True)
    if not killed:
        print(output)
    return killed


sys.exit(main())
