"""Goal: an upgrade of a service that runs stops nobody, and may be interrupted."""

import time
from collections.abc import Iterator
from threading import Event

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from tests.races.threads import at_once, results

WAIT_SECONDS = 30
BUILDS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'
AND query ~ '^CREATE (UNIQUE )?INDEX CONCURRENTLY'
"""
INDEXES = """
SELECT indexrelid::regclass::text, indisvalid FROM pg_index
WHERE indrelid = 'predictions_prediction'::regclass
AND indexrelid::regclass::text ~ '^prediction_(spend|finished|once)'
ORDER BY 1
"""
# What an upgrade leaves, valid; and what one that was interrupted may have left.
FINISHED = ("prediction_finished", True)
ONCE = ("prediction_once_for_its_key", True)
PARTIAL = "ON predictions_prediction (user_id, idempotency_key) WHERE idempotency_key IS NOT NULL"


def migrate(target: str) -> None:
    call_command("migrate", "predictions", target, verbosity=0)


def upgrade_all() -> None:
    call_command("migrate", verbosity=0)


@pytest.fixture
def earlier(transactional_db: None, request: pytest.FixtureRequest) -> Iterator[None]:
    """The database as an earlier migration had left it; in the end it is as it was."""
    migrate(request.param)
    yield
    upgrade_all()


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


@pytest.mark.parametrize(
    ("earlier", "after"), [("0005", "0006"), ("0006", "0007")], indirect=["earlier"]
)
def test_predictions_are_written_while_their_index_is_built(earlier: None, after: str) -> None:
    locked, done = Event(), Event()
    # An upgrade waits for who writes here too, and would do so before it builds anything.
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX IF EXISTS predictions_prediction_user_id_95e83bd7")

    def write_slowly() -> None:
        with transaction.atomic():
            write()
            locked.set()
            done.wait(WAIT_SECONDS)

    def upgrade() -> None:
        locked.wait(WAIT_SECONDS)
        migrate(after)

    def write_meanwhile() -> None:
        try:
            until_it_builds()
            write()
        finally:
            done.set()

    results(at_once([write_slowly, upgrade, write_meanwhile]))

    assert asked(INDEXES) == [FINISHED, ONCE]


@pytest.mark.parametrize("earlier", ["0005"], indirect=True)
def test_an_upgrade_that_was_interrupted_is_run_again(earlier: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE INDEX prediction_finished ON predictions_prediction (user_id)")

    call_command("prepare_database", verbosity=0)

    assert asked(INDEXES) == [FINISHED, ONCE]
    [(definition,)] = asked("SELECT pg_get_indexdef('prediction_finished'::regclass)")
    assert "(user_id, completed_at) INCLUDE" in str(definition)


@pytest.mark.parametrize("earlier", ["0006"], indirect=True)
@pytest.mark.parametrize(
    "left",
    [
        [f"CREATE INDEX prediction_once_for_its_key_partial {PARTIAL}"],
        # All was done, and Django had not noted it.
        [
            "ALTER TABLE predictions_prediction DROP CONSTRAINT prediction_once_for_its_key",
            f"CREATE UNIQUE INDEX prediction_once_for_its_key {PARTIAL}",
        ],
    ],
    ids=["while the index was built", "after its last step"],
)
def test_an_upgrade_of_the_key_that_was_interrupted_is_run_again(
    earlier: None, left: list[str]
) -> None:
    with connection.cursor() as cursor:
        for statement in left:
            cursor.execute(statement)

    call_command("prepare_database", verbosity=0)

    assert asked(INDEXES) == [FINISHED, ONCE]
    [(definition,)] = asked("SELECT pg_get_indexdef('prediction_once_for_its_key'::regclass)")
    assert "UNIQUE" in str(definition)
    assert "WHERE (idempotency_key IS NOT NULL)" in str(definition)


@pytest.mark.parametrize("earlier", ["0006"], indirect=True)
def test_a_key_is_unique_before_the_upgrade_and_after_it(earlier: None) -> None:
    kept = "SELECT pg_get_indexdef('prediction_once_for_its_key'::regclass)"
    [(before,)] = asked(kept)

    upgrade_all()

    [(after,)] = asked(kept)
    assert str(before).startswith("CREATE UNIQUE INDEX prediction_once_for_its_key ")
    assert str(after).startswith("CREATE UNIQUE INDEX prediction_once_for_its_key ")
    assert ("WHERE" in str(before), "WHERE" in str(after)) == (False, True)
