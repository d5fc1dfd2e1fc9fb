"""What must hold after every fault: nothing lost, nobody charged twice, the books clean."""

import time
from collections import Counter
from collections.abc import Iterable, Sequence

from tests.faults.clients import Load
from tests.faults.stack import Stack

RECOVERY_SECONDS = 60
FINISHED = {"succeeded", "failed", "canceled"}


def wait_for_quiet(stack: Stack, *loads: Load, seconds: float = RECOVERY_SECONDS) -> float:
    """Return how long it took until everything accepted had finished."""
    began = time.monotonic()
    ids = [id for load in loads for id in load.ids]
    stack.service.wait_until(
        lambda: unfinished(stack, ids) == 0, "all accepted is finished", timeout_seconds=seconds
    )
    return time.monotonic() - began


def unfinished(stack: Stack, ids: Sequence[str]) -> int:
    counted = "SELECT count(*) FROM predictions_prediction WHERE id = ANY(%s::uuid[])"
    open_ones = f"{counted} AND status IN ('starting', 'processing')"
    return int(stack.query(open_ones, ids)[0][0])


def statuses(stack: Stack, ids: Iterable[str]) -> Counter[str]:
    rows = stack.query(
        "SELECT status FROM predictions_prediction WHERE id = ANY(%s::uuid[])", list(ids)
    )
    return Counter(status for (status,) in rows)


def assert_all_succeeded(stack: Stack, *loads: Load) -> None:
    ids = [id for load in loads for id in load.ids]
    assert statuses(stack, ids) == {"succeeded": len(ids)}
    assert_nothing_lost(stack, *loads)


def assert_nothing_lost(stack: Stack, *loads: Load) -> None:
    """Check that all that was sent was accepted and has ended, each charged once or not at all."""
    for load in loads:
        assert load.given_up == [], load.given_up[:3]
        assert load.count is None or len(load.ids) == load.count
    ids = [id for load in loads for id in load.ids]
    found = statuses(stack, ids)
    assert found.total() == len(ids) > 0, "an accepted prediction is not in the table"
    assert set(found) <= FINISHED, found
    assert miscounted(stack, ids) == []
    assert unbalanced(stack, *loads) == []
    audit = stack.service.try_manage("audit_ledger")
    assert audit.returncode == 0, audit.stdout + audit.stderr


def miscounted(stack: Stack, ids: list[str]) -> list[tuple[object, ...]]:
    """Return the predictions whose captures are not exactly what their end calls for."""
    return stack.query(MISCOUNTED, ids)


MISCOUNTED = """
SELECT prediction.id, prediction.status, prediction.cost, count(entry.id), sum(entry.amount)
FROM predictions_prediction AS prediction
JOIN billing_hold AS hold ON hold.id = prediction.hold_id
LEFT JOIN billing_ledgerentry AS entry
       ON entry.kind = 'capture' AND entry.reference_id = prediction.id::text
WHERE prediction.id = ANY(%s::uuid[])
GROUP BY prediction.id, hold.id
HAVING count(entry.id) <> (prediction.status = 'succeeded')::int
    OR coalesce(-sum(entry.amount), 0) <> prediction.cost
    OR hold.status <> CASE prediction.status WHEN 'succeeded' THEN 'captured' ELSE 'released' END
"""


def unbalanced(stack: Stack, *loads: Load) -> list[tuple[object, ...]]:
    """Return the people whose balance is not what they paid in less what succeeded cost."""
    people = sorted({client.user_id for load in loads for client in load.clients})
    return stack.query(UNBALANCED, people)


UNBALANCED = """
SELECT wallet.user_id, wallet.balance, wallet.held, paid.total, spent.total
FROM billing_wallet AS wallet
CROSS JOIN LATERAL (SELECT coalesce(sum(amount), 0) AS total FROM billing_topup
                    WHERE wallet_id = wallet.id AND status = 'paid') AS paid
CROSS JOIN LATERAL (SELECT coalesce(sum(cost), 0) AS total FROM predictions_prediction
                    WHERE user_id = wallet.user_id) AS spent
WHERE wallet.user_id = ANY(%s)
  AND (wallet.balance <> paid.total - spent.total OR wallet.held <> 0)
"""


def attempts(stack: Stack, *loads: Load) -> Counter[int]:
    """Count the predictions by how often a worker took them."""
    ids = [id for load in loads for id in load.ids]
    rows = stack.query("SELECT attempt FROM predictions_prediction WHERE id = ANY(%s::uuid[])", ids)
    return Counter(attempt for (attempt,) in rows)
