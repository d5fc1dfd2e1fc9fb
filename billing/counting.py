"""What moved in the ledger, counted by the process that committed it.

The ledger is the truth, and nobody adds it up for a figure: these counts begin at 0 with each
role and are right for how fast money moves. What a role committed in the seconds before it was
killed may be missing; whether the books agree is what the audit says.
"""

from collections.abc import Sequence
from functools import partial

from django.db import transaction
from prometheus_client import Counter

from billing.models import LedgerEntry
from mlservice.lib.metrics.counting import COUNTED

entries = Counter(
    "mlservice_ledger_entries", "Entries of the ledger.", ["kind", "direction"], registry=COUNTED
)
credits_moved = Counter(
    "mlservice_ledger_credits",
    "Credits that these entries moved, into wallets or out of them.",
    ["kind", "direction"],
    registry=COUNTED,
)
holds_resolved = Counter(
    "mlservice_holds_resolved", "Holds that were resolved.", ["outcome"], registry=COUNTED
)

Kind = LedgerEntry.Kind
# As the constraint ledger_entry_sign_fits_kind has it; of other kinds it may be either.
ONE_WAY = {Kind.TOP_UP: "in", Kind.GRANT: "in", Kind.REFUND: "in", Kind.CAPTURE: "out"}
# There from the beginning: of a count that begins with 1, the first would not be seen.
for kind in Kind:
    for direction in [ONE_WAY[kind]] if kind in ONE_WAY else ["in", "out"]:
        entries.labels(kind, direction)
        credits_moved.labels(kind, direction)
for outcome in ("captured", "released"):
    holds_resolved.labels(outcome)


def moved(kind: str, amount: int, *, number: int = 1) -> None:
    """Count entries that move a signed amount together, once they are committed."""
    if number:
        transaction.on_commit(partial(_count, str(kind), amount, number), robust=True)


def _count(kind: str, amount: int, number: int) -> None:
    direction = "in" if amount > 0 else "out"
    entries.labels(kind, direction).inc(number)
    credits_moved.labels(kind, direction).inc(abs(amount))


def resolved(captured: Sequence[int]) -> None:
    """Count holds that were resolved, each with what was captured of it, once it is committed."""
    of_these = sum(one > 0 for one in captured)
    moved("capture", -sum(captured), number=of_these)
    transaction.on_commit(partial(_count_holds, of_these, len(captured) - of_these), robust=True)


def _count_holds(captured: int, released: int) -> None:
    holds_resolved.labels("captured").inc(captured)
    holds_resolved.labels("released").inc(released)
