"""Goal: an upgrade of a service that runs stops nobody, and may be interrupted."""

import time
from collections.abc import Iterator
from threading import Event

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from tests.races.threads import at_once, results

WAIT_SECONDS = 30
BEFORE, AFTER = "0005", "0006"
BUILDS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE 'CREATE INDEX%'
"""
INDEXES = """
SELECT indexrelid::regclass::text, indisvalid FROM pg_index
WHERE indrelid = 'predictions_prediction'::regclass
AND indexrelid::regclass::text IN ('prediction_spend', 'prediction_finished')
"""


def migrate(target: str) -> None:
    call_command("migrate", "predictions", target, verbosity=0)


@pytest.fixture
def earlier(transactional_db: None) -> Iterator[None]:
    migrate(BEFORE)
    yield
    migrate(AFTER)


def asked(query: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return list(cursor.fetchall())


def write() -> None:
    """Take the lock that every write to the table takes, or fail soon."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '2s'")
        cursor.execute("LOCK TABLE predictions_prediction IN ROW EXCLUSIVE MODE")


def until_it_builds() -> None:
    for _ in range(WAIT_SECONDS * 50):
        if asked(BUILDS) == [(1,)]:
            return
        time.sleep(0.02)
    raise TimeoutError("Nobody came to build an index.")


def test_predictions_are_written_while_their_index_is_built(earlier: None) -> None:
    locked, done = Event(), Event()

    def write_slowly() -> None:
        with transaction.atomic():
            write()
            locked.set()
            done.wait(WAIT_SECONDS)

    def upgrade() -> None:
        locked.wait(WAIT_SECONDS)
        migrate(AFTER)

    def write_meanwhile() -> None:
        try:
            until_it_builds()
            write()
        finally:
            done.set()

    results(at_once([write_slowly, upgrade, write_meanwhile]))

    assert asked(INDEXES) == [("prediction_finished", True)]


def test_an_upgrade_that_was_interrupted_is_run_again(earlier: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE INDEX prediction_finished ON predictions_prediction (user_id)")

    call_command("prepare_database", verbosity=0)

    assert asked(INDEXES) == [("prediction_finished", True)]
    [(definition,)] = asked("SELECT pg_get_indexdef('prediction_finished'::regclass)")
    assert "(user_id, completed_at) INCLUDE" in str(definition)
