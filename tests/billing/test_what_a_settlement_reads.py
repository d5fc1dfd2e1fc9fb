"""A settlement looks its holds up one by one, whatever the planner knows of the table."""

from typing import Any

import pytest
from django.db import connection

from accounts.models import User
from billing.services import LOCK_WALLETS, RESOLVE_HOLDS, wallet_of
from mlservice.lib.prepared import Statement

SETTLED_AT_ONCE = 8


@pytest.fixture(params=[(800, False), (5_000, False), (5_000, True)])
def long_table(request: pytest.FixtureRequest, alice: User) -> None:
    """Hold credits for many, of which a few are open still: what the planner would look through."""
    many, is_analyzed = request.param
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO billing_hold (wallet_id, amount, captured, refunded, status,
                                      reference_type, reference_id, resolved_at)
            SELECT %s, 1, 0, 0, CASE WHEN number %% 100 = 0 THEN 'held' ELSE 'released' END,
                   'prediction', md5(number::text), CASE WHEN number %% 100 > 0 THEN now() END
            FROM generate_series(1, %s) AS number
            """,
            [wallet_of(alice.pk).pk, many],
        )
        if is_analyzed:
            cursor.execute("ANALYZE billing_hold")


def plan(statement: Statement, *values: Any, kind: str) -> str:
    places = ", ".join(f"%s::{type_}" for type_ in statement.types)
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL plan_cache_mode = force_{kind}_plan")
        cursor.execute(f"PREPARE looked_at ({', '.join(statement.types)}) AS {statement.sql}")
        cursor.execute(f"EXPLAIN EXECUTE looked_at ({places})", values)
        lines = [line for (line,) in cursor.fetchall()]
        cursor.execute("DEALLOCATE looked_at")
    return "\n".join(lines)


@pytest.mark.usefixtures("long_table")
@pytest.mark.parametrize("kind", ["generic", "custom"])
def test_wallets_are_found_by_their_holds_whole_references(kind: str) -> None:
    references = [str(number) for number in range(1, SETTLED_AT_ONCE + 1)]

    explained = plan(LOCK_WALLETS, "prediction", references, kind=kind)

    condition = next(line for line in explained.splitlines() if "reference_id)" in line)
    assert "Index Cond" in condition
    assert "reference_type" in condition
    assert "Seq Scan on billing_hold" not in explained


@pytest.mark.usefixtures("long_table")
@pytest.mark.parametrize("kind", ["generic", "custom"])
def test_holds_are_resolved_without_a_look_at_all_that_is_held(kind: str) -> None:
    ids = list(range(1, SETTLED_AT_ONCE + 1))

    explained = plan(RESOLVE_HOLDS, ids, [1] * SETTLED_AT_ONCE, kind=kind)

    assert "billing_hold_pkey" in explained
    assert "hold_open_by_wallet" not in explained
