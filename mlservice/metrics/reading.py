"""Which figures the database gives, and by which statements.

Every web process asks them at each scrape, so none may read the history: they go by partial
indexes, by small tables, and by what PostgreSQL keeps about itself.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Count
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from billing.selectors import last_audit
from ml_models.models import MLModel, ModelVersion
from mlservice.lib.mail.models import MAX_ATTEMPTS
from mlservice.lib.queues import BULK, DUTIES, PREDICTIONS
from predictions.status import queue_status

# What grows with every prediction, and what is watched beside it.
TABLES = ("predictions_prediction", "billing_hold", "billing_ledgerentry", "billing_topup")


def gauge(name: str, about: str, value: float | None) -> GaugeMetricFamily:
    """Make a figure of one value; of what there is none of, no value is given."""
    family = GaugeMetricFamily(name, about)
    if value is not None:
        family.add_metric([], float(value))
    return family


def gauges(
    name: str, about: str, labels: Sequence[str], values: Sequence[Sequence[Any]]
) -> GaugeMetricFamily:
    """Make a figure of many values; each comes after its labels."""
    family = GaugeMetricFamily(name, about, labels=labels)
    for *named, value in values:
        family.add_metric([str(one) for one in named], float(value))
    return family


def rows(query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return list(cursor.fetchall())


def database() -> Iterator[Metric]:
    """How the server does. Of other roles' sessions PostgreSQL tells no more than their number."""
    began = time.perf_counter()
    rows("SELECT 1")
    took = time.perf_counter() - began
    yield gauge("mlservice_database_probe_seconds", "Time of an empty question.", took)
    [(connections, most, oldest)] = rows(SESSIONS)
    yield gauge("mlservice_database_connections", "Connections open at the server.", connections)
    yield gauge(
        "mlservice_database_oldest_transaction_seconds",
        "Age of the oldest transaction of the service's own role.",
        oldest,
    )
    yield gauges(
        "mlservice_limit",
        "What the service is set to allow, to compare figures with.",
        ["name"],
        [
            ("database_connections", most),
            ("backlog", settings.PREDICTION_BACKLOG_LIMIT),
            (
                "hold_age_seconds",
                settings.PREDICTION_MAX_AGE_SECONDS + settings.PREDICTION_LEASE_SECONDS + 60,
            ),
        ],
    )
    [(committed, rolled_back, deadlocks)] = rows(STATISTICS)
    transactions = CounterMetricFamily(
        "mlservice_database_transactions", "Transactions of the database.", labels=["outcome"]
    )
    transactions.add_metric(["committed"], committed)
    transactions.add_metric(["rolled_back"], rolled_back)
    yield transactions
    yield CounterMetricFamily(
        "mlservice_database_deadlocks", "Deadlocks that the server ended.", value=deadlocks
    )


SESSIONS = """
SELECT count(*) FILTER (WHERE datname IS NOT NULL),
       current_setting('max_connections')::int,
       coalesce(extract(epoch FROM clock_timestamp()
                - min(xact_start) FILTER (WHERE usename = current_user)), 0)::float8
FROM pg_stat_activity
"""
STATISTICS = """
SELECT xact_commit, xact_rollback, deadlocks FROM pg_stat_database
WHERE datname = current_database()
"""


def tables() -> Iterator[Metric]:
    """How large the tables are that grow: by PostgreSQL's own estimate, nothing is counted."""
    found = rows(SIZES, list(TABLES))
    for place, name, about in (
        (1, "rows", "Rows, as the server estimates them."),
        (2, "dead_rows", "Rows that vacuuming has yet to take away, estimated."),
        (3, "bytes", "Size on disk, indexes included."),
    ):
        each = [(row[0], row[place]) for row in found]
        yield gauges(f"mlservice_table_{name}", about, ["table"], each)


SIZES = """
SELECT relname, greatest(reltuples, 0), pg_stat_get_dead_tuples(oid), pg_total_relation_size(oid)
FROM pg_class WHERE relname = ANY(%s) AND relnamespace = 'public'::regnamespace
"""


def queue() -> Iterator[Metric]:
    """What waits and runs in each lane, who consumes, and what nobody could take."""
    found = queue_status()
    unpublished = dict(rows(OLDEST_UNPUBLISHED, settings.PREDICTION_BULK_ROWS))
    lanes = [{**lane, "old": unpublished.get(lane["queue"] == BULK)} for lane in found["lanes"]]
    for key, name, about in (
        ("waiting", "waiting", "Predictions that no worker has begun."),
        ("unpublished", "unpublished", "Predictions of these that are not on their way yet."),
        ("oldest", "oldest_seconds", "Age of the oldest prediction that waits."),
        ("old", "oldest_unpublished_seconds", "How long the oldest unpublished one has waited."),
        ("groups_out", "open_groups", "Groups that are published and not begun."),
        ("processing", "processing", "Predictions in the hands of workers."),
        ("window", "window", "Children that groups may be out for."),
    ):
        each = [(lane["queue"], lane[key] or 0) for lane in lanes]
        yield gauges(f"mlservice_queue_{name}", about, ["lane"], each)
    yield gauge(
        "mlservice_leases_expired",
        "Leases that have ended and were not returned.",
        found["leases"]["expired"],
    )
    yield gauge(
        "mlservice_dead_letters",
        "Messages that no worker could take and nobody has discarded.",
        found["dead_letters"],
    )
    yield from nodes([node for node in found["workers"] if node["is_alive"]])


# By the index of what is to be published, which holds no more than the backlog's limit.
OLDEST_UNPUBLISHED = """
SELECT rows_total > %s, extract(epoch FROM statement_timestamp() - min(created_at))::float8
FROM predictions_prediction WHERE status = 'starting' AND published_at IS NULL
GROUP BY 1
"""


def nodes(alive: Sequence[dict[str, Any]]) -> Iterator[Metric]:
    yield gauge("mlservice_worker_nodes", "Nodes that sent a heartbeat lately.", len(alive))
    children = [
        (name, sum(node["children"] for node in alive if name in node["queues"]))
        for name in (PREDICTIONS, BULK, DUTIES)
    ]
    yield gauges(
        "mlservice_worker_children", "Processes that consume a queue.", ["queue"], children
    )


def money() -> Iterator[Metric]:
    """What the wallets hold, read with the open holds as of one moment: they must agree."""
    [(wallets, frozen, balance, held, shortfall, holds, reserved, oldest)] = rows(WALLETS)
    yield gauge("mlservice_wallets", "Wallets.", wallets)
    yield gauge("mlservice_wallets_frozen", "Wallets that owe for reversed payments.", frozen)
    yield gauge("mlservice_wallets_balance_credits", "Credits in all wallets.", balance)
    yield gauge("mlservice_wallets_held_credits", "Credits that wallets hold.", held)
    yield gauge("mlservice_wallets_shortfall_credits", "Credits owed.", shortfall)
    yield gauge("mlservice_holds_open", "Holds that are not resolved.", holds)
    yield gauge("mlservice_holds_oldest_seconds", "Age of the oldest open hold.", oldest)
    yield gauge(
        "mlservice_held_difference_credits",
        "Credits that wallets hold beyond what open holds reserve; 0 when they agree.",
        held - reserved,
    )
    [(pending, wait)] = rows(PENDING)
    yield gauge("mlservice_top_ups_pending", "Top-ups that are not paid yet.", pending)
    yield gauge("mlservice_top_ups_oldest_pending_seconds", "Age of the oldest of these.", wait)


# There are as many wallets as users; open holds are few and have an index of their own.
WALLETS = """
SELECT wallet.*, hold.* FROM
    (SELECT count(*), count(*) FILTER (WHERE shortfall > 0), coalesce(sum(balance), 0),
            coalesce(sum(held), 0), coalesce(sum(shortfall), 0)
     FROM billing_wallet) AS wallet,
    (SELECT count(*), coalesce(sum(amount), 0),
            coalesce(extract(epoch FROM statement_timestamp() - min(created_at)), 0)::float8
     FROM billing_hold WHERE status = 'held') AS hold
"""
PENDING = """
SELECT count(*), coalesce(extract(epoch FROM statement_timestamp() - min(created_at)), 0)::float8
FROM billing_topup WHERE status = 'pending'
"""


def audit() -> Iterator[Metric]:
    """The last audit of the books; without one there is nothing to say."""
    run = last_audit()
    yield gauges(
        "ledger_drift",
        "Rows that break a rule of the books.",
        ["rule"],
        list(run.counts.items()) if run else [],
    )
    yield gauge(
        "ledger_audit_finished_timestamp_seconds",
        "When the last audit of the books ended.",
        run.finished_at.timestamp() if run else None,
    )
    yield gauge(
        "ledger_audit_seconds",
        "How long the last audit of the books took.",
        run.seconds if run else None,
    )


def models() -> Iterator[Metric]:
    """Which version of each model serves, and how many there are in each state."""
    served = MLModel.objects.values_list("slug", "stable__number", "candidate__number")
    for place, name, about in (
        (1, "serving_version", "Number of the version that serves; 0 without one."),
        (2, "candidate_version", "Number of the version that is tried; 0 without one."),
    ):
        each = [(row[0], row[place] or 0) for row in served]
        yield gauges(f"mlservice_model_{name}", about, ["model"], each)
    counted = ModelVersion.objects.values_list("model__slug", "status").annotate(number=Count("pk"))
    numbers = {(slug, status): number for slug, status, number in counted}
    states = [
        (slug, status, numbers.get((slug, status), 0))
        for slug, *_ in served
        for status in ModelVersion.Status.values
    ]
    yield gauges(
        "mlservice_model_versions",
        "Versions of a model in each state.",
        ["model", "status"],
        states,
    )


def letters() -> Iterator[Metric]:
    """Letters that are due and not sent, by the index of those to send."""
    [(due, oldest, given_up)] = rows(LETTERS)
    yield gauge("mlservice_letters_due", "Letters that may be sent now.", due)
    yield gauge(
        "mlservice_letters_oldest_due_seconds", "How long the first of them is due.", oldest
    )
    yield gauge("mlservice_letters_given_up", "Letters that were tried too often.", given_up)


LETTERS = f"""
SELECT count(*) FILTER (WHERE is_due),
       coalesce(extract(epoch FROM statement_timestamp() - min(due_at) FILTER (WHERE is_due)), 0)
           ::float8,
       count(*) FILTER (WHERE attempts >= {MAX_ATTEMPTS})
FROM (SELECT attempts, due_at, attempts < {MAX_ATTEMPTS} AND due_at <= statement_timestamp()
             AS is_due FROM mail_letter WHERE sent_at IS NULL) AS unsent
"""  # noqa: S608 (a number of our own)

# The first says whether the database answers; the others are asked only then.
READERS = {
    "database": database,
    "queue": queue,
    "money": money,
    "audit": audit,
    "models": models,
    "letters": letters,
    "tables": tables,
}
