"""Measure the books at a million entries: the audit, and what the busiest wallet's owner reads.

Run by `make bench-books`; `--report FILE` keeps what was measured as a document.
"""

import argparse
import json
import os
import platform
import statistics
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

django.setup()

from django.db import connection
from django.test import Client
from django.test.utils import (
    setup_databases,
    setup_test_environment,
    teardown_databases,
    teardown_test_environment,
)
from rest_framework_simplejwt.tokens import AccessToken

from accounts.models import User
from benchmarks.ledger import MONTHS, fill
from billing.selectors import spendable
from billing.services import set_spending_cap, wallet_of
from billing.statements import month_before
from mlservice.audit import audit

AUDIT_GOAL_SECONDS = 10.0
READ_GOAL_MILLISECONDS = 50.0


@dataclass
class Clock:
    """Counts queries and the time between sending each and having its rows."""

    queries: int = 0
    seconds: float = 0.0

    def __call__(self, execute: Callable[..., Any], *query: Any) -> Any:
        self.queries += 1
        began = time.perf_counter()
        try:
            return execute(*query)
        finally:
            self.seconds += time.perf_counter() - began


@dataclass(frozen=True, slots=True)
class Measured:
    """One read: medians over the runs."""

    read: str
    queries: int
    database_milliseconds: float
    total_milliseconds: float


def main() -> None:
    options = arguments()
    with database():
        began = time.perf_counter()
        owner = fill(rows=options.rows, hot=options.hot, wallets=options.wallets)
        in_one = time.perf_counter() - began
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
        facts = {
            "measured": datetime.now(UTC).date().isoformat(),
            "machine": machine(),
            "filled_in_seconds": round(in_one, 1),
            **sizes(),
            **audited(options.runs),
            "reads": [asdict(read(name, get, options.runs)) for name, get in reads(owner)],
        }
    told = table(facts) + f"\n```json\n{json.dumps(facts, indent=2)}\n```\n"
    print(told)
    if options.report:
        options.report.write_text(HEADING.format(**vars(options)) + told)


def arguments() -> Any:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="ledger entries")
    parser.add_argument("--hot", type=int, default=300_000, help="of them in the busiest wallet")
    parser.add_argument("--wallets", type=int, default=2_000, help="other wallets")
    parser.add_argument("--runs", type=int, default=7, help="of each read, after a warm one")
    parser.add_argument("--report", type=Path, help="write a document as well")
    return parser.parse_args()


@contextmanager
def database() -> Iterator[None]:
    """Make a database of this run's own and remove it in the end."""
    setup_test_environment()
    made = setup_databases(verbosity=0, interactive=False, serialized_aliases=[])
    try:
        yield
    finally:
        teardown_databases(made, verbosity=0)
        teardown_test_environment()


def sizes() -> dict[str, Any]:
    """Say how many rows there are and what they need on the disk, in megabytes."""
    tables = ("billing_ledgerentry", "billing_hold", "predictions_prediction", "billing_topup")
    found: dict[str, Any] = {}
    with connection.cursor() as cursor:
        for name in tables:
            cursor.execute(
                f"""SELECT count(*), pg_table_size('{name}') / 1e6, pg_indexes_size('{name}') / 1e6
                    FROM {name}"""
            )
            rows, own, indexes = cursor.fetchone()
            found[name] = {"rows": rows, "table_mb": round(own), "indexes_mb": round(indexes)}
        cursor.execute("SELECT pg_database_size(current_database()) / 1e6, version()")
        total, server = cursor.fetchone()
    return {"tables": found, "database_mb": round(total), "server": server.split(" on ")[0]}


def machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"


def audited(runs: int) -> dict[str, Any]:
    """Time whole audits; a difference would make the numbers worthless."""
    taken = []
    for _ in range(max(3, runs // 2)):
        run = audit()
        if run.drift:
            raise SystemExit(f"The ledger differs: {run.counts}")
        taken.append(run.seconds)
    return {"audit_seconds": round(statistics.median(taken), 2), "rules": len(run.counts)}


def reads(owner: User) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Name every read with a function that does it as the owner."""
    set_spending_cap(wallet_id=wallet_of(owner.pk).pk, cap=10**9)
    wallet = wallet_of(owner.pk)
    client, now = Client(), datetime.now(UTC)
    client.force_login(owner)
    token = {"Authorization": f"Bearer {AccessToken.for_user(owner)}"}
    this, old = f"{now:%Y-%m}", now.replace(day=1)
    for _ in range(MONTHS // 2):
        old = month_before(old)
    middle = f"{old:%Y-%m}"
    ids = wallet.entries.order_by("id").values_list("id", flat=True)
    deep = ids[ids.count() // 10]
    cursor = b64encode(f"p={deep}".encode()).decode()
    pages = {
        "wallet page": "/wallet",
        "wallet page, deep": f"/wallet?before={deep}",
        "statement page, this month": f"/wallet/statements/{this}",
        "statement page, an old month": f"/wallet/statements/{middle}",
        "dashboard": "/dashboard",
        "history page": "/predictions",
    }
    calls = {
        "statement API, this month": f"/api/v1/wallet/statements/{this}",
        "statement API, an old month": f"/api/v1/wallet/statements/{middle}",
        "entries API, first page": "/api/v1/wallet/entries",
        "entries API, deep cursor": f"/api/v1/wallet/entries?cursor={cursor}",
        "top-ups API": "/api/v1/wallet/top-ups",
    }
    for name, address in pages.items():
        yield name, partial(seen, client, address)
    for name, address in calls.items():
        yield name, partial(seen, Client(headers=token), address)
    yield "what the cap leaves, asked by every hold", partial(spendable, wallet)


def seen(client: Client, address: str) -> None:
    answer = client.get(address)
    if answer.status_code != 200:
        raise SystemExit(f"{address}: {answer.status_code}")


def read(name: str, get: Callable[[], Any], runs: int) -> Measured:
    """Read once to warm up, then several times; give the medians."""
    get()
    clocks, totals = [], []
    for _ in range(runs):
        clock, began = Clock(), time.perf_counter()
        with connection.execute_wrapper(clock):
            get()
        totals.append(time.perf_counter() - began)
        clocks.append(clock)
    milliseconds = statistics.median(clock.seconds for clock in clocks) * 1_000
    return Measured(
        name, clocks[0].queries, round(milliseconds, 1), round(statistics.median(totals) * 1e3, 1)
    )


HEADING = """# The books at scale

Made by `make bench-books` with {rows:,} ledger entries over 24 months, {hot:,} of them in
one wallet, the rest spread over {wallets:,} others; medians of {runs} warm runs, read as the owner
of that one wallet. How: [benchmarks](../../benchmarks/README.md).

"""


def table(facts: dict[str, Any]) -> str:
    """Lay the figures out as Markdown."""
    lines = [
        f"{facts['server']}; {facts['machine']}; {facts['measured']}.",
        "",
        "| what | rows | table, MB | indexes, MB |",
        "|---|---:|---:|---:|",
    ]
    for name, size in facts["tables"].items():
        lines.append(
            f"| `{name}` | {size['rows']:,} | {size['table_mb']:,} | {size['indexes_mb']:,} |"
        )
    lines += [
        "",
        f"The whole database takes {facts['database_mb']:,} MB.",
        "",
        f"`audit_ledger`, {facts['rules']} rules: **{facts['audit_seconds']} s** "
        f"(goal: under {AUDIT_GOAL_SECONDS:.0f} s).",
        "",
        f"Database time of a read (goal: under {READ_GOAL_MILLISECONDS:.0f} ms):",
        "",
        "| read | queries | database, ms | whole answer, ms |",
        "|---|---:|---:|---:|",
    ]
    for one in facts["reads"]:
        lines.append(
            f"| {one['read']} | {one['queries']} | {one['database_milliseconds']} "
            f"| {one['total_milliseconds']} |"
        )
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
