"""The service behind a real PgBouncer that lends a connection for a transaction at a time."""

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from mlservice.embedded.account import system_user
from mlservice.embedded.home import APPLICATION, DATABASE, Home
from tests.debian.ports import free_port
from tests.e2e.environment import PLAIN, SHORT_LEASE, SMALL, UNHURRIED
from tests.e2e.live import LiveService
from tests.e2e.people import Person
from tests.exits import end_with_the_parent, remove_in_the_end
from tests.operations.machine import Machine

PGBOUNCER = Path("/usr/sbin/pgbouncer")
POOL = 6
THREADS = 16
EACH = 6
READY_SECONDS = 20

pytestmark = [
    pytest.mark.seldom,
    pytest.mark.skipif(not PGBOUNCER.exists(), reason="pgbouncer is not installed"),
]


@contextmanager
def pooler(home: Home, folder: Path) -> Iterator[str]:
    """Run PgBouncer before a home's PostgreSQL; give the address for the application's role."""
    port, password = free_port(), home.password(APPLICATION)
    (folder / "users").write_text(f'"{APPLICATION}" "{password}"\n')
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n{DATABASE} = host={home.sockets} dbname={DATABASE}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = scram-sha-256\nauth_file = {folder / 'users'}\n"
        f"pool_mode = transaction\ndefault_pool_size = {POOL}\nmax_client_conn = 200\n"
    )
    process = subprocess.Popen(
        [PGBOUNCER, "--quiet", folder / "pgbouncer.ini"],
        cwd="/",
        stdin=subprocess.DEVNULL,
        user=system_user(),
        group=system_user(),
        extra_groups=None if system_user() is None else [],
        preexec_fn=lambda: end_with_the_parent(signal.SIGKILL),
    )
    try:
        wait_for(port)
        yield f"postgresql://{APPLICATION}:{password}@127.0.0.1:{port}/{DATABASE}"
    finally:
        process.kill()
        process.wait()


def wait_for(port: int) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        with socket.socket() as asking:
            if asking.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError("PgBouncer takes no connections.")


@pytest.fixture
def service() -> Iterator[LiveService]:
    # Sockets need a short path, and the servers' account must pass through.
    folder = Path(tempfile.mkdtemp(prefix="mlservice-pooled-", dir="/tmp"))
    remove_in_the_end(folder)
    for made in (folder, folder / "pooler", folder / "logs"):
        made.mkdir(exist_ok=True)
        made.chmod(0o755)
    machine = Machine(folder / "machine")
    machine.start()
    port = str(free_port())
    env = os.environ | PLAIN | SMALL | UNHURRIED | SHORT_LEASE | machine.environment
    with pooler(machine.home, folder / "pooler") as pooled:
        own = {"PORT": port, "DATABASE_URL": pooled}
        own["LISTEN_DATABASE_URL"] = machine.home.database_url()
        running = LiveService(f"http://127.0.0.1:{port}", env | own, folder / "logs")
        try:
            running.start()
            yield running
        finally:
            for name in list(running.processes):
                running.kill(name)
            machine.lose()


def test_more_threads_than_connections_predict_wait_and_read_long_lists(
    service: LiveService,
) -> None:
    people = [Person(service.base_url, credits=1_000) for _ in range(THREADS)]
    model = people[0].get("models/random-forest")

    def predict_and_read(person: Person) -> list[str]:
        person.session.headers["Prefer"] = "wait=20"
        ended = [person.post("predictions", body_for(model))["status"] for _ in range(EACH)]
        month = person.get("wallet/entries")["results"][0]["created_at"][:7]
        written = person.session.get(f"{person.root}/wallet/statements/{month}?format=csv")
        assert written.status_code == 200
        return [*ended, str(written.text.count("capture"))]

    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(predict_and_read, people))

    assert answers == [[*["succeeded"] * EACH, str(EACH)]] * THREADS
    # Beside the pool: the listeners of the web process and of the relay, and this question.
    assert connections(service) <= POOL + 3
    assert "clean" in service.manage("audit_ledger").stdout


def body_for(model: dict[str, object]) -> dict[str, object]:
    return {"model": model["slug"], "input": model["example"]}


def connections(service: LiveService) -> int:
    counting = "SELECT count(*) FROM pg_stat_activity WHERE usename = %s"
    return int(service.query(counting, [APPLICATION])[0][0])
