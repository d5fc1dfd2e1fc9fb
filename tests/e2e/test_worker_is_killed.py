"""A worker may die at any moment, and a broker may lose what it was given: nobody pays twice.

Real processes are killed as a power cut would kill them; the ledger is counted afterwards.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from tests.e2e.live import LiveService
from tests.e2e.people import Person

pytestmark = pytest.mark.broker

MODELS = ("linear-regression", "random-forest")
PEOPLE = 5
PREDICTIONS = 200
EACH = PREDICTIONS // PEOPLE // len(MODELS)
LOST_AFTER_SECONDS = 30
# What the reaper's round, a starting process and a busy machine may add.
GRACE_SECONDS = 30


def test_two_hundred_predictions_survive_two_killed_workers(live_service: LiveService) -> None:
    models = read_models(live_service)
    worth = EACH * sum(model["price"] for model in models)
    people = [Person(live_service.base_url, credits=worth) for _ in range(PEOPLE)]
    live_service.freeze("relay")
    ids = submit_all(people, models)

    # First everything is claimed and computed, and the settlements wait for the wallets.
    with wallets_locked(live_service, people):
        live_service.thaw("relay")
        wait_for(live_service, ids, "processing", at_least=PREDICTIONS)
        live_service.kill("worker")
    live_service.start_worker()
    # Then some of what came back is done and the rest is on its way.
    wait_for(live_service, ids, "succeeded", at_least=EACH)
    live_service.kill("worker")
    survived = count(live_service, ids, "succeeded")
    live_service.start_worker()
    wait_for(live_service, ids, "succeeded", at_least=PREDICTIONS)

    assert survived < PREDICTIONS
    assert charges(live_service, ids) == (PREDICTIONS, PREDICTIONS, PEOPLE * worth)
    assert {person.get("wallet")["balance"] for person in people} == {0}
    assert "clean" in live_service.manage("audit_ledger").stdout


def test_predictions_whose_messages_were_lost_are_published_again(
    live_service: LiveService,
) -> None:
    linear = read_models(live_service)[0]
    person = Person(live_service.base_url, credits=3 * linear["price"])
    live_service.end("worker")
    ids = [person.predict(linear) for _ in range(3)]

    live_service.wait_until(lambda: live_service.purge_broker() > 0, "a message was lost")
    live_service.start_worker()
    wait_for(live_service, ids, "succeeded", at_least=3)

    assert longest_wait_seconds(live_service, ids) > LOST_AFTER_SECONDS
    assert charges(live_service, ids) == (3, 3, 3 * linear["price"])
    assert person.get("wallet")["balance"] == 0
    assert "clean" in live_service.manage("audit_ledger").stdout


def read_models(service: LiveService) -> list[dict[str, Any]]:
    reader = Person(service.base_url, credits=1)
    return [reader.get(f"models/{slug}") for slug in MODELS]


def submit_all(people: list[Person], models: list[dict[str, Any]]) -> list[str]:
    """Submit each person's share of each model, all people at once."""

    def submit(person: Person) -> list[str]:
        return [person.predict(model) for model in models for _ in range(EACH)]

    with ThreadPoolExecutor(len(people)) as pool:
        return [id for ids in pool.map(submit, people) for id in ids]


@contextmanager
def wallets_locked(service: LiveService, people: list[Person]) -> Iterator[None]:
    """Hold the wallets' rows, so that no settlement of theirs can end."""
    names = [person.username for person in people]
    with service.connect() as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(
            """SELECT 1 FROM billing_wallet AS wallet
               JOIN accounts_user AS person ON person.id = wallet.user_id
               WHERE username = ANY(%s) FOR UPDATE OF wallet""",
            [names],
        )
        yield


def wait_for(service: LiveService, ids: list[str], status: str, *, at_least: int) -> None:
    """Wait as long as a lost lease or a lost message may take to be noticed."""
    lease_seconds = int(service.env["PREDICTION_LEASE_SECONDS"])
    service.wait_until(
        lambda: count(service, ids, status) >= at_least,
        f"{at_least} predictions are {status}",
        timeout_seconds=lease_seconds + LOST_AFTER_SECONDS + GRACE_SECONDS,
    )


def count(service: LiveService, ids: list[str], status: str) -> int:
    """Count those of the predictions that have this status."""
    counting = "SELECT count(*) FROM predictions_prediction WHERE id = ANY(%s::uuid[])"
    return int(service.query(f"{counting} AND status = %s", [ids, status])[0][0])


def charges(service: LiveService, ids: list[str]) -> tuple[int, int, int]:
    """Return the captures of these predictions: how many, of how many predictions, of how much."""
    rows = service.query(
        """SELECT count(*), count(DISTINCT reference_id), -sum(amount) FROM billing_ledgerentry
           WHERE kind = 'capture' AND reference_id = ANY(%s)""",
        [ids],
    )
    entries, predictions, amount = rows[0]
    return entries, predictions, int(amount)


def longest_wait_seconds(service: LiveService, ids: list[str]) -> float:
    waited = """SELECT extract(epoch FROM max(started_at - created_at))
                FROM predictions_prediction WHERE id = ANY(%s::uuid[])"""
    return float(service.query(waited, [ids])[0][0])
