"""The soak: `python -m tests.faults.chaos --minutes 30`: random faults under steady load.

It prints a table, keeps it beside the same as JSON where it is told to, and exits 1 on any loss.
"""

import argparse
import json
import os
import random
import statistics
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.e2e.people import Person
from tests.faults import invariants
from tests.faults.chaos_faults import FAULTS
from tests.faults.clients import MODELS, Client, Load
from tests.faults.soak import SteadyLoad
from tests.faults.stack import Stack, running_stack

PEOPLE = 12
RECOVERY_SECONDS = invariants.RECOVERY_SECONDS
LAST_SECONDS = 120
BETWEEN_SECONDS = (2.0, 8.0)
UNFINISHED_BEFORE = """SELECT count(*) FROM predictions_prediction
                       WHERE status IN ('starting', 'processing') AND created_at <= %s"""


@dataclass
class Report:
    """What a soak has counted; it is clean when nothing was lost, doubled or late."""

    seed: int
    minutes: float
    counts: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    recoveries: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    invariants: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        counted = self.counts["lost"] + self.counts["double_charged"] + self.counts["miscounted"]
        return not counted and not self.wrong and set(self.invariants.values()) == {"clean"}

    def as_json(self) -> dict[str, Any]:
        times = [seconds for each in self.recoveries.values() for seconds in each]
        return {
            "command": f"make chaos MINUTES={self.minutes:g} ARGS='--seed {self.seed}'",
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
            "cores": len(os.sched_getaffinity(0)),
            "faults": len(times),
            **self.counts,
            "refused_and_tried_again": self.refused,
            "recovery_seconds": {
                "every fault": summary(times),
                **{name: summary(each) for name, each in sorted(self.recoveries.items())},
            },
            "invariants": self.invariants,
            "wrong": self.wrong,
            "clean": self.is_clean,
        }


def summary(seconds: list[float]) -> dict[str, float]:
    return {
        "times": len(seconds),
        "median": round(statistics.median(seconds), 1) if seconds else 0.0,
        "max": round(max(seconds, default=0.0), 1),
    }


def soak(stack: Stack, *, minutes: float, seed: int, per_second: float) -> Report:
    """Break something at random again and again while clients go on; then count."""
    report, chance = Report(seed, minutes), random.Random(seed)
    reader = Person(stack.service.base_url, credits=1)
    models = [reader.get(f"models/{slug}") for slug in MODELS]
    bodies = [{"model": model["slug"], "input": model["example"]} for model in models]
    clients = [Client(stack) for _ in range(PEOPLE)]
    load = SteadyLoad(clients, bodies, per_second, seed)
    load.start()
    try:
        ends_at = time.monotonic() + minutes * 60
        for name in drawn(chance):
            time.sleep(chance.uniform(*BETWEEN_SECONDS))
            if time.monotonic() > ends_at:
                break
            strike(stack, name, chance, report)
    finally:
        load.stop()
    count(stack, load, report)
    return report


def drawn(chance: random.Random) -> Any:
    """Draw the faults in rounds, each round in another order, so that none is missed for long."""
    while True:
        yield from chance.sample(sorted(FAULTS), len(FAULTS))


def strike(stack: Stack, name: str, chance: random.Random, report: Report) -> None:
    """Make a fault and time how long what was accepted before its end takes to finish."""
    FAULTS[name](stack, chance)
    healed_at, healed_clock = time.monotonic(), stack.query("SELECT clock_timestamp()")[0][0]
    while stack.query(UNFINISHED_BEFORE, healed_clock)[0][0]:
        if time.monotonic() - healed_at > LAST_SECONDS:
            break
        time.sleep(0.2)
    seconds = time.monotonic() - healed_at
    report.recoveries[name].append(seconds)
    if seconds > RECOVERY_SECONDS:
        report.wrong.append(f"{name}: not recovered within {RECOVERY_SECONDS} s")
    print(f"{time.strftime('%H:%M:%S')}  {name:28} recovered in {seconds:5.1f} s", flush=True)


def count(stack: Stack, load: SteadyLoad, report: Report) -> None:
    """Wait for the last predictions and hold what there is against what was promised."""
    ids = list(load.accepted)
    deadline = time.monotonic() + LAST_SECONDS
    while invariants.unfinished(stack, ids) and time.monotonic() < deadline:
        time.sleep(0.5)
    found = invariants.statuses(stack, ids)
    ended = {status: found[status] for status in sorted(invariants.FINISHED)}
    doubled = stack.query(DOUBLE_CHARGED)[0][0]
    report.counts = {
        "accepted": len(ids),
        **ended,
        "lost": len(ids) - sum(ended.values()),
        "double_charged": int(doubled),
        "miscounted": len(invariants.miscounted(stack, ids)),
        "repeated_with_key": load.repeated,
        "cancels_asked": load.cancels,
    }
    report.refused = dict(load.refused)
    report.wrong += load.wrong
    unbalanced = invariants.unbalanced(stack, Load(load.clients, load.bodies))
    report.invariants["balances are exact"] = "clean" if not unbalanced else str(unbalanced)
    audit = stack.service.try_manage("audit_ledger")
    report.invariants["audit_ledger"] = "clean" if audit.returncode == 0 else audit.stdout


DOUBLE_CHARGED = """
SELECT count(*) FROM (SELECT reference_id FROM billing_ledgerentry WHERE kind = 'capture'
                      GROUP BY reference_id HAVING count(*) > 1) AS doubled
"""


def table(facts: dict[str, Any]) -> str:
    """Lay the report out for a reader, as a Markdown table."""
    single = [(name, facts[name]) for name in facts if not isinstance(facts[name], dict | list)]
    lines = [
        "# Soak: random faults under steady load",
        "",
        "| measure | value |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in single),
    ]
    lines += ["", "| fault | times | median s | max s |", "|---|---|---|---|"]
    for name, each in facts["recovery_seconds"].items():
        lines.append(f"| {name} | {each['times']} | {each['median']} | {each['max']} |")
    lines += ["", "| answer, tried again | times |", "|---|---|"]
    lines += [f"| {name} | {times} |" for name, times in facts["refused_and_tried_again"].items()]
    lines += ["", "| invariant | |", "|---|---|"]
    lines += [f"| {name} | {verdict} |" for name, verdict in facts["invariants"].items()]
    return "\n".join([*lines, *(f"\nWRONG: {one}" for one in facts["wrong"])])


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.faults.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--per-second", type=float, default=8.0, help="predictions sent")
    parser.add_argument("--report", type=Path, help="writes NAME.json and NAME.md")
    wanted = parser.parse_args()
    print(f"seed {wanted.seed}", flush=True)
    with running_stack() as stack:
        report = soak(stack, minutes=wanted.minutes, seed=wanted.seed, per_second=wanted.per_second)
    facts = report.as_json()
    print(table(facts))
    if wanted.report:
        wanted.report.with_suffix(".json").write_text(json.dumps(facts, indent=2) + "\n")
        wanted.report.with_suffix(".md").write_text(table(facts) + "\n")
    return 0 if report.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
