"""Everything is lost in the middle of the work, and comes back from a backup made under load.

The commands are the manual's own. The database, the broker and the model store are made anew, with
other passwords; what was acknowledged before the backup began is there, and is finished.
"""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from tests.debian.ports import free_port
from tests.e2e.environment import PLAIN, SHORT_LEASE, SMALL, UNHURRIED
from tests.e2e.live import LiveService, execute, with_database
from tests.e2e.people import Person
from tests.exits import remove_in_the_end
from tests.faults.invariants import MISCOUNTED, UNBALANCED
from tests.operations.machine import Machine
from tests.operations.manual import commands, run

pytestmark = pytest.mark.seldom

SECRETS = {
    "SECRET_KEY": "a key for tests only, long enough to satisfy every check",
    "JWT_SIGNING_KEY": "another key for tests only, also long enough",
}
PEOPLE = 3
CREDITS = 100_000
ENOUGH = 20
PAUSE_SECONDS = 0.03
UNFINISHED = "SELECT count(*) FROM predictions_prediction WHERE completed_at IS NULL"
# A second in a worker's hands, so that the backup finds work in every state.
SLOW = {"FAILPOINTS": "predict_1=sleep:1"}


@dataclass
class Sender:
    """A person whose program goes on sending, each time with a key of its own."""

    person: Person
    model: dict[str, Any]
    made: dict[str, str] = field(default_factory=dict)

    def send(self, key: str) -> tuple[str, bool]:
        """Send a request, or send it again; give its prediction and whether that was known."""
        answer = self.person.session.post(
            f"{self.person.root}/predictions",
            json={"model": self.model["slug"], "input": self.model["example"]},
            headers={"Idempotency-Key": key},
            timeout=60,
        )
        assert answer.status_code in {201, 202}, answer.text
        return answer.json()["id"], "Idempotent-Replayed" in answer.headers

    def go_on(self, stopped: Event) -> None:
        while not stopped.wait(PAUSE_SECONDS):
            key = f"{self.person.username}-{len(self.made)}"
            self.made[key], _ = self.send(key)


@dataclass
class Installation:
    """A service on a machine that may be lost, and the folder in which its backups lie."""

    machine: Machine
    service: LiveService
    backup: Path

    def move_in(self) -> None:
        """Start an empty machine, and tell the service of it."""
        self.machine.start()
        self.service.env.update(self.machine.environment, BACKUP=str(self.backup))

    def burn(self) -> None:
        for name in list(self.service.processes):
            self.service.kill(name)
        self.machine.lose()

    def verify(self, **env: str) -> "tuple[int, str]":
        service = self.service
        asked = LiveService(service.base_url, service.env | env, service.folder)
        done = asked.try_manage("verify_restore")
        return done.returncode, done.stdout


@pytest.fixture
def installation() -> Iterator[Installation]:
    # Sockets need a short path, and the database's account must pass through.
    folder = Path(tempfile.mkdtemp(prefix="mlservice-restore-", dir="/tmp"))
    remove_in_the_end(folder)
    folder.chmod(0o711)
    for name in ("logs", "backup"):
        (folder / name).mkdir()
    port = str(free_port())
    env = os.environ | SECRETS | PLAIN | SMALL | UNHURRIED | SHORT_LEASE | {"PORT": port}
    service = LiveService(f"http://127.0.0.1:{port}", env, folder / "logs")
    installed = Installation(Machine(folder / "machine"), service, folder / "backup")
    try:
        installed.move_in()
        yield installed
    finally:
        installed.burn()


def test_everything_is_lost_and_comes_back(installation: Installation) -> None:
    service = installation.service
    service.start(worker_env=SLOW)
    senders = [new_sender(service, number) for number in range(PEOPLE)]
    stopped = Event()
    threads = [Thread(target=sender.go_on, args=[stopped], daemon=True) for sender in senders]
    for thread in threads:
        thread.start()
    service.wait_until(lambda: all(len(one.made) > ENOUGH for one in senders), "work is under way")

    acknowledged = [dict(sender.made) for sender in senders]
    run(commands("Back up"), service.env)
    backed_up = [len(sender.made) for sender in senders]
    service.wait_until(
        lambda: all(
            len(one.made) > count + 3 for one, count in zip(senders, backed_up, strict=True)
        ),
        "work went on after the backup",
    )
    stopped.set()
    for thread in threads:
        thread.join()
    installation.burn()
    installation.move_in()
    said = run(commands("Restore"), service.env)
    pending = int(service.query(UNFINISHED)[0][0])

    assert said.endswith("The restored service can be trusted.\n")
    assert pending > 0
    assert_a_spoilt_restore_is_noticed(installation)

    service.spawn("web")
    service.spawn("relay")
    service.start_worker()
    service.wait_until(lambda: service.query(UNFINISHED) == [(0,)], "all of it is finished")
    service.wait_until(service.is_ready, "the web process is ready")

    for sender, before, count in zip(senders, acknowledged, backed_up, strict=True):
        sender.person.sign_in()
        assert {key: sender.send(key) for key in before} == {
            key: (id, True) for key, id in before.items()
        }
        # What came after the backup is lost, and its request is simply done.
        lost = list(sender.made)[count + 2]
        again, was_known = sender.send(lost)
        assert (again != sender.made[lost], was_known) == (True, False)
    service.wait_until(lambda: service.query(UNFINISHED) == [(0,)], "what was sent again is done")
    assert_books_are_right(service, senders)


def new_sender(service: LiveService, number: int) -> Sender:
    person = Person(service.base_url, credits=CREDITS)
    slug = ("linear-regression", "random-forest")[number % 2]
    return Sender(person, person.get(f"models/{slug}"))


SPOIL = """
DROP TRIGGER ledger_entry_insert_only ON billing_ledgerentry;
UPDATE billing_ledgerentry SET amount = amount + 1 WHERE id = (SELECT min(id)
                                                               FROM billing_ledgerentry);
"""


def assert_a_spoilt_restore_is_noticed(installation: Installation) -> None:
    """Let a copy lack a trigger, have a changed entry, and no artifact."""
    owner = installation.machine.home.owner_url()
    name = "spoilt"
    execute(owner, "CREATE DATABASE {} TEMPLATE mlservice", name)
    run(
        f'psql --quiet --set ON_ERROR_STOP=1 --command "{SPOIL}" "$SPOILT"',
        {
            **installation.machine.environment,
            "SPOILT": with_database(owner, name),
        },
    )
    address = with_database(installation.machine.home.database_url(), name)

    status, said = installation.verify(DATABASE_URL=address, MODEL_STORE_DIR="/nowhere")

    assert status == 1
    assert "ok     migrations" in said
    assert "The trigger ledger_entry_insert_only of billing_ledgerentry is missing or off." in said
    assert "1 rows break I1 balance is the sum of entries." in said
    assert said.count("The local store has no") == len(("linear-regression", "random-forest"))
    assert "can be trusted" not in said


def assert_books_are_right(service: LiveService, senders: list[Sender]) -> None:
    ids = [str(id) for (id,) in service.query("SELECT id FROM predictions_prediction")]
    names = [sender.person.username for sender in senders]
    owners = service.query("SELECT id FROM accounts_user WHERE username = ANY(%s)", [names])
    assert service.query(MISCOUNTED, [ids]) == []
    assert service.query(UNBALANCED, [[id for (id,) in owners]]) == []
    audit = service.try_manage("audit_ledger")
    assert audit.returncode == 0, audit.stdout + audit.stderr
