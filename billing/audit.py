"""Billing's own named checks: each is one set-based query that counts what is wrong."""

from django.db import connection

CHECKS = {
    "balance_is_the_sum_of_entries": """
        SELECT count(*) FROM billing_wallet AS wallet
        LEFT JOIN (SELECT wallet_id, sum(amount) AS total FROM billing_ledgerentry
                   GROUP BY wallet_id) AS entries ON entries.wallet_id = wallet.id
        WHERE wallet.balance <> coalesce(entries.total, 0)""",
    "held_is_the_sum_of_open_holds": """
        SELECT count(*) FROM billing_wallet AS wallet
        LEFT JOIN (SELECT wallet_id, sum(amount) AS total FROM billing_hold
                   WHERE status = 'held' GROUP BY wallet_id) AS holds
               ON holds.wallet_id = wallet.id
        WHERE wallet.held <> coalesce(holds.total, 0)""",
    "each_balance_after_follows_from_the_one_before": """
        SELECT count(*) FROM (
            SELECT balance_after, sum(amount) OVER (PARTITION BY wallet_id ORDER BY id) AS running
            FROM billing_ledgerentry) AS entry
        WHERE balance_after <> running""",
    "each_paid_top_up_is_credited_once": """
        SELECT count(*) FROM (
            SELECT id::text, amount FROM billing_topup WHERE status = 'paid') AS top_up
        FULL JOIN (SELECT reference_id, amount FROM billing_ledgerentry
                   WHERE kind = 'top_up') AS entry ON entry.reference_id = top_up.id
        WHERE top_up.amount IS DISTINCT FROM entry.amount""",
    "each_captured_hold_has_its_entry": """
        SELECT count(*) FROM (
            SELECT reference_type, reference_id, captured FROM billing_hold
            WHERE status = 'captured') AS hold
        FULL JOIN (SELECT reference_type, reference_id, amount FROM billing_ledgerentry
                   WHERE kind = 'capture') AS entry USING (reference_type, reference_id)
        WHERE hold.captured IS DISTINCT FROM -entry.amount""",
}


def run_checks() -> dict[str, int]:
    """Count the rows that break each rule; all zeros is a clean ledger."""
    counts = {}
    with connection.cursor() as cursor:
        for name, query in CHECKS.items():
            cursor.execute(query)
            counts[name] = cursor.fetchone()[0]
    return counts
