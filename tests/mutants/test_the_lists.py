"""The lists of mutants stay true: each finds its text once, and its test exists."""

import pkgutil
import re
from importlib import import_module

import pytest

from tests import mutants
from tests.mutants import Mutant
from tests.mutants.workshop import CHECKOUT, verdict

RUNNERS = {"__main__", "workshop", "test_the_lists"}
LISTS = sorted({module.name for module in pkgutil.iter_modules(mutants.__path__)} - RUNNERS)
LISTED: list[Mutant] = [
    mutant for name in LISTS for mutant in import_module(f"tests.mutants.{name}").MUTANTS
]

every_mutant = pytest.mark.parametrize("mutant", LISTED, ids=lambda mutant: mutant.name)


@every_mutant
def test_a_mutant_finds_what_it_drops_exactly_once(mutant: Mutant) -> None:
    whole = (CHECKOUT / mutant.path).read_text()

    assert mutant.applied_to(whole) != whole


@every_mutant
def test_the_test_that_kills_a_mutant_exists(mutant: Mutant) -> None:
    path, *classes, node = mutant.killed_by.split("::")
    name = node.partition("[")[0]

    text = (CHECKOUT / path).read_text()

    assert re.search(rf"^ *def {name}\(|^{name} = ", text, flags=re.MULTILINE)
    assert all(f"class {one}" in text for one in classes)


def test_names_of_mutants_are_their_own() -> None:
    names = [mutant.name for mutant in LISTED]

    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize(
    ("code", "output", "expected"),
    [
        (0, "1 passed", "passed"),
        (1, "FAILED tests/a.py::test_b - assert 1 == 2", "failed"),
        (1, "ERROR tests/a.py::test_b - in a fixture", "broken"),
        (2, "ERROR tests/a.py - ImportError", "broken"),
        (4, "no such test", "broken"),
    ],
)
def test_only_a_test_that_fails_kills(code: int, output: str, expected: str) -> None:
    assert verdict(code, output) == expected
