"""The named checks that need both work and money: each counts what is wrong."""

from typing import Any

from django.conf import settings
from django.db import connection

from predictions import lanes

CHECKS = {
    "I4_each_succeeded_prediction_captured_its_cost": """
        SELECT count(*) FROM predictions_prediction AS prediction
        JOIN billing_hold AS hold ON hold.id = prediction.hold_id
        WHERE prediction.status = 'succeeded'
          AND (hold.status <> 'captured' OR hold.captured <> prediction.cost)""",
    "I5_each_failed_or_canceled_prediction_released_its_hold": """
        SELECT count(*) FROM predictions_prediction AS prediction
        JOIN billing_hold AS hold ON hold.id = prediction.hold_id
        WHERE prediction.status IN ('failed', 'canceled') AND hold.status <> 'released'""",
    "I5_each_unfinished_prediction_has_an_open_hold": """
        SELECT count(*) FROM predictions_prediction AS prediction
        JOIN billing_hold AS hold ON hold.id = prediction.hold_id
        WHERE prediction.status IN ('starting', 'processing') AND hold.status <> 'held'""",
    "I6_each_open_hold_belongs_to_unfinished_work": """
        SELECT count(*) FROM billing_hold AS hold
        LEFT JOIN predictions_prediction AS prediction ON prediction.hold_id = hold.id
        WHERE hold.status = 'held' AND hold.reference_type = 'prediction'
          AND (prediction.id IS NULL OR prediction.status NOT IN ('starting', 'processing'))""",
    "I6_no_hold_outlives_its_prediction": """
        SELECT count(*) FROM billing_hold AS hold
        WHERE hold.status = 'held'
          AND hold.created_at < now() - make_interval(secs => %(oldest_seconds)s)""",
    "I9_each_charge_is_the_accepted_price": """
        SELECT count(*) FROM predictions_prediction
        WHERE status = 'succeeded'
          AND (cost %% price <> 0 OR cost > price * rows_valid)""",
    "I8_a_key_has_one_prediction": """
        SELECT count(*) FROM (
            SELECT 1 FROM predictions_prediction WHERE idempotency_key IS NOT NULL
            GROUP BY user_id, idempotency_key HAVING count(*) > 1) AS twice""",
    # Free workers and no publishing at all for a while: a busy relay is not a stuck one.
    "I10_nothing_waits_unpublished_while_workers_are_free": """
        SELECT count(*) FROM predictions_prediction
        WHERE status = 'starting' AND published_at IS NULL
          AND created_at < now() - make_interval(secs => %(lost_seconds)s)
          AND EXISTS (SELECT 1 FROM predictions_worker WHERE children > 0
                      AND seen_at > now() - make_interval(secs => %(alive_seconds)s))
          AND NOT EXISTS (SELECT 1 FROM predictions_prediction AS published
                          WHERE published.published_at
                                > now() - make_interval(secs => %(lost_seconds)s))""",
}


def run_checks() -> dict[str, int]:
    """Count the rows that break each rule; all zeros means work and money agree."""
    oldest = settings.PREDICTION_MAX_AGE_SECONDS + settings.PREDICTION_LEASE_SECONDS + 60
    parameters: dict[str, Any] = {
        "oldest_seconds": oldest,
        "lost_seconds": lanes.LOST_AFTER_SECONDS,
        "alive_seconds": lanes.WORKER_ALIVE_SECONDS,
    }
    counts = {}
    with connection.cursor() as cursor:
        for name, query in CHECKS.items():
            cursor.execute(query, parameters)
            counts[name] = cursor.fetchone()[0]
    return counts
