"""An upgrade stops nobody: the release before works on the new schema, and both work side by side.

The database is migrated while the earlier release runs; then its processes are exchanged one after
another. At each step the earlier release's own README is followed, word for word.
"""

import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from tests.debian.ports import free_port
from tests.e2e.environment import PLAIN, SHORT_LEASE, SMALL, UNHURRIED
from tests.e2e.live import CHECKOUT, LiveService
from tests.e2e.test_readme import copy_paste_path, run_in_bash
from tests.exits import remove_in_the_end
from tests.operations.machine import Machine

pytestmark = pytest.mark.seldom

NAMED = Path(__file__).with_name("previous-release")


def previous_release() -> str:
    (name,) = (line for line in NAMED.read_text().splitlines() if not line.startswith("#"))
    return name


def source_of(release: str) -> bytes | None:
    """Return an archive of a release's files, or nothing where the history does not hold it."""
    done = subprocess.run(
        ["git", "archive", release], cwd=CHECKOUT, capture_output=True, check=False
    )
    return done.stdout if done.returncode == 0 else None


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    # Sockets need a short path, and the database's account must pass through.
    made = Path(tempfile.mkdtemp(prefix="mlservice-upgrade-", dir="/tmp"))
    remove_in_the_end(made)
    made.chmod(0o711)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def earlier_checkout(folder: Path) -> Path:
    """The earlier release's files, with the models that were built for this one."""
    source = source_of(previous_release())
    if source is None:
        pytest.xfail("The history of this checkout does not hold the previous release.")
    there = folder / "earlier"
    with tarfile.open(fileobj=BytesIO(source)) as archive:
        archive.extractall(there, filter="data")
    shutil.copytree(CHECKOUT / "ml_models" / "build", there / "ml_models" / "build")
    return there


@pytest.fixture
def releases(folder: Path, earlier_checkout: Path) -> Iterator[tuple[LiveService, LiveService]]:
    """The earlier release and this one, on one machine's servers; nothing runs yet."""
    machine = Machine(folder / "machine")
    machine.start()
    logs = folder / "logs"
    logs.mkdir()
    port = str(free_port())
    own = {"PORT": port, **machine.environment}
    env = os.environ | PLAIN | SMALL | UNHURRIED | SHORT_LEASE | own
    address = f"http://127.0.0.1:{port}"
    earlier = LiveService(address, env, logs, checkout=earlier_checkout)
    now = LiveService(address, env, logs)
    try:
        yield earlier, now
    finally:
        for service in (earlier, now):
            for name in list(service.processes):
                service.kill(name)
        machine.lose()


def test_the_previous_release_works_on_the_new_schema(
    releases: tuple[LiveService, LiveService],
) -> None:
    earlier, now = releases
    earlier.start()
    follow_readme_of(earlier)

    now.manage("prepare_database", "--verbosity", "0")
    follow_readme_of(earlier)

    # A process that dies meanwhile is started anew by its keeper, as it was.
    for name in ("web", "relay", "worker"):
        earlier.end(name)
    start(earlier, "web", "relay", "worker")
    follow_readme_of(earlier)

    now.manage("collectstatic", "--noinput", "--verbosity", "0")
    for name in ("relay", "worker", "web"):
        earlier.end(name)
        start(now, name)
        follow_readme_of(earlier)

    for service in (earlier, now):
        assert "clean" in service.manage("audit_ledger").stdout
    assert "can be trusted" in now.manage("verify_restore").stdout


def start(service: LiveService, *names: str) -> None:
    for name in names:
        if name == "worker":
            service.start_worker()
        else:
            service.spawn(name)
    service.wait_until(service.is_ready, "the web process is ready")


def follow_readme_of(service: LiveService) -> None:
    said = run_in_bash(copy_paste_path("README.md", service.checkout), service.base_url)
    assert said.splitlines()[-1] == "balance before 100, cost 6, balance after 94"
