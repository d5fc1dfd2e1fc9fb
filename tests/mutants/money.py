"""Mutants of the money: every lock, guard, sign and order that keeps the books right."""

from tests.mutants import Mutant

SERVICES = "billing/services.py"
HOLDS = "tests/billing/test_holds.py"

MUTANTS = [
    Mutant(
        name="a hold that is resolved already is resolved again",
        path=SERVICES,
        old="WHERE hold.id = outcome.hold_id AND hold.status = 'held'",
        new="WHERE hold.id = outcome.hold_id",
        killed_by=f"{HOLDS}::test_a_hold_that_is_resolved_stays_as_it_is",
    ),
]
