"""The only place that starts the servers a test run needs and was not given."""

import os
import signal
import subprocess
import tempfile
from pathlib import Path

from mlservice.embedded import postgres, valkey
from mlservice.embedded.account import system_user
from mlservice.embedded.home import Home
from tests import debian
from tests.exits import at_exit, end_with_the_parent, remove_in_the_end

# A test's data need not survive a power cut.
HASTY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def ensure_servers() -> None:
    """Set DATABASE_URL and BROKER_URL where missing, to private servers that end with the run.

    They are the checkout's own kinds, or with TEST_SERVERS=debian the machine's packages.
    """
    if os.environ.get("DATABASE_URL") and os.environ.get("BROKER_URL"):
        return
    is_debian = os.environ.get("TEST_SERVERS") == "debian"
    starts = start_debian_servers if is_debian else start_embedded_servers
    # The default temporary folder may lie too deep for a socket's path.
    folder = Path(tempfile.mkdtemp(prefix="mlservice-tests-", dir="/tmp"))
    remove_in_the_end(folder)
    # PostgreSQL, when it runs as another user, must pass through.
    folder.chmod(0o711)
    starts(folder)


def start_debian_servers(folder: Path) -> None:
    if not os.environ.get("DATABASE_URL"):
        os.environ["DATABASE_URL"] = debian.start_postgres(folder)
    if not os.environ.get("BROKER_URL"):
        os.environ["BROKER_URL"] = debian.start_rabbitmq(folder)


def start_embedded_servers(folder: Path) -> None:
    home = Home(folder / "state", folder / "state" / "sockets")
    if not os.environ.get("DATABASE_URL"):
        os.environ["DATABASE_URL"] = start_postgres(home)
    if not os.environ.get("BROKER_URL"):
        os.environ["BROKER_URL"] = start_valkey(home)


def start_postgres(home: Home) -> str:
    """Start a private PostgreSQL; return the address of its owner, who may make databases."""
    postgres.prepare(home)
    _start(postgres.command(home, HASTY), home)
    postgres.wait_until_ready(home)
    return home.owner_url()


def start_valkey(home: Home) -> str:
    """Start a private Valkey; return its address."""
    valkey.prepare(home)
    _start(valkey.command(home), home)
    valkey.wait_until_ready(home)
    return home.broker_url()


def _start(command: list[str], home: Home) -> None:
    user = system_user()
    home.logs.mkdir(mode=0o700, exist_ok=True)
    with (home.logs / Path(command[0]).name).open("ab") as log:
        process = subprocess.Popen(
            command,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
            start_new_session=True,
            preexec_fn=lambda: end_with_the_parent(signal.SIGINT),
        )
    at_exit(lambda: _stop(process))


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
