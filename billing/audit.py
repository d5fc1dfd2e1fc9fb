"""Billing's own named checks: each is one set-based query that counts what is wrong."""

from django.db import connection

CHECKS = {
    "I1_balance_is_the_sum_of_entries": """
        SELECT count(*) FROM billing_wallet AS wallet
        LEFT JOIN (SELECT wallet_id, sum(amount) AS total FROM billing_ledgerentry
                   GROUP BY wallet_id) AS entries ON entries.wallet_id = wallet.id
        WHERE wallet.balance <> coalesce(entries.total, 0)""",
    "I3_held_is_the_sum_of_open_holds": """
        SELECT count(*) FROM billing_wallet AS wallet
        LEFT JOIN (SELECT wallet_id, sum(amount) AS total FROM billing_hold
                   WHERE status = 'held' GROUP BY wallet_id) AS holds
               ON holds.wallet_id = wallet.id
        WHERE wallet.held <> coalesce(holds.total, 0)""",
    "I1_each_balance_after_follows_from_the_one_before": """
        SELECT count(*) FROM (
            SELECT balance_after, sum(amount) OVER (PARTITION BY wallet_id ORDER BY id) AS running
            FROM billing_ledgerentry) AS entry
        WHERE balance_after <> running""",
    "I2_each_paid_top_up_is_credited_once": """
        SELECT count(*) FROM (
            SELECT id::text AS reference_id, wallet_id, amount FROM billing_topup
            WHERE status = 'paid') AS top_up
        FULL JOIN (SELECT reference_id, wallet_id, amount FROM billing_ledgerentry
                   WHERE kind = 'top_up') AS entry USING (reference_id, wallet_id)
        WHERE top_up.amount IS DISTINCT FROM entry.amount""",
    "I4_each_captured_hold_has_its_entry": """
        SELECT count(*) FROM (
            SELECT reference_type, reference_id, wallet_id, captured FROM billing_hold
            WHERE status = 'captured') AS hold
        FULL JOIN (SELECT reference_type, reference_id, wallet_id, amount
                   FROM billing_ledgerentry WHERE kind = 'capture') AS entry
             USING (reference_type, reference_id, wallet_id)
        WHERE hold.captured IS DISTINCT FROM -entry.amount""",
    "I2_each_refund_stands_on_its_hold": """
        SELECT count(*) FROM (
            SELECT reference_type, reference_id, wallet_id, refunded FROM billing_hold
            WHERE refunded > 0) AS hold
        FULL JOIN (SELECT reference_type, reference_id, wallet_id, amount
                   FROM billing_ledgerentry WHERE kind = 'refund') AS entry
             USING (reference_type, reference_id, wallet_id)
        WHERE hold.refunded IS DISTINCT FROM entry.amount""",
    "I2_each_reversal_is_taken_or_owed": """
        SELECT count(*) FROM (
            SELECT id::text AS reference_id, wallet_id, reversed - shortfall AS taken
            FROM billing_topup WHERE reversed > 0) AS top_up
        FULL JOIN (SELECT reference_id, wallet_id, -sum(amount) AS taken
                   FROM billing_ledgerentry WHERE kind = 'reversal'
                   GROUP BY reference_id, wallet_id) AS entry USING (reference_id, wallet_id)
        WHERE coalesce(top_up.taken, 0) <> coalesce(entry.taken, 0)""",
    "I2_shortfall_is_the_sum_of_top_ups": """
        SELECT count(*) FROM billing_wallet AS wallet
        LEFT JOIN (SELECT wallet_id, sum(shortfall) AS total FROM billing_topup
                   WHERE shortfall > 0 GROUP BY wallet_id) AS owed
               ON owed.wallet_id = wallet.id
        WHERE wallet.shortfall <> coalesce(owed.total, 0)""",
    "I2_what_came_in_is_what_is_left_and_spent": """
        SELECT count(*) FROM billing_wallet AS wallet
        LEFT JOIN (SELECT wallet_id, sum(amount) AS total FROM billing_ledgerentry
                   WHERE kind IN ('top_up', 'grant', 'correction', 'reversal')
                   GROUP BY wallet_id) AS came ON came.wallet_id = wallet.id
        LEFT JOIN (SELECT wallet_id, sum(captured - refunded) AS total FROM billing_hold
                   WHERE status = 'captured' GROUP BY wallet_id) AS spent
               ON spent.wallet_id = wallet.id
        WHERE coalesce(came.total, 0) <> wallet.balance + coalesce(spent.total, 0)""",
    "I7_the_ledger_is_insert_only": """
        SELECT 1 - count(*) FROM pg_trigger
        WHERE tgrelid = 'billing_ledgerentry'::regclass
          AND tgname = 'ledger_entry_insert_only' AND tgenabled IN ('O', 'A')""",
}


def run_checks() -> dict[str, int]:
    """Count the rows that break each rule; all zeros is a clean ledger."""
    counts = {}
    with connection.cursor() as cursor:
        for name, query in CHECKS.items():
            cursor.execute(query)
            counts[name] = cursor.fetchone()[0]
    return counts
