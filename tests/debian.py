"""The only place that starts Debian's own PostgreSQL and RabbitMQ for a test run."""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import kombu

from tests.exits import at_exit

POSTGRES = Path("/usr/lib/postgresql")
RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
READY_SECONDS = 60


def start_postgres(folder: Path) -> str:
    """Start a private PostgreSQL under the folder; return its superuser's address."""
    binaries = newest_postgres()
    user = "postgres" if os.geteuid() == 0 else None
    home = folder / "debian-postgres"
    home.mkdir(mode=0o700)
    if user is not None:
        shutil.chown(home, user)
    options = f"-c listen_addresses='' -c unix_socket_directories={home} -c fsync=off"
    options += " -c max_connections=200"
    run(binaries / "initdb", "-D", home / "data", "-U", "postgres", "-A", "trust", "-N", user=user)
    control = (binaries / "pg_ctl", "-w", "-D", home / "data", "-l", home / "log")
    run(*control, "-o", options, "start", user=user)
    at_exit(lambda: run(*control, "-m", "fast", "stop", user=user))
    return f"postgresql://postgres@/postgres?host={home}"


def newest_postgres() -> Path:
    found = sorted(POSTGRES.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise FileNotFoundError("PostgreSQL is missing: apt-get install postgresql")
    return found[-1].parent


def start_rabbitmq(folder: Path) -> str:
    """Start a private RabbitMQ under the folder, on ports of its own; return its address."""
    if not RABBITMQ.exists():
        raise FileNotFoundError("RabbitMQ is missing: apt-get install rabbitmq-server")
    home = folder / "rabbitmq"
    home.mkdir(mode=0o700)
    port = free_port()
    environment = os.environ | rabbitmq_environment(home, port)
    with (home / "output").open("wb") as output:
        node = subprocess.Popen(
            [RABBITMQ], env=environment, stdout=output, stderr=output, start_new_session=True
        )
    at_exit(lambda: stop_rabbitmq(node, environment))
    address = f"amqp://guest:guest@127.0.0.1:{port}//"
    wait_for_broker(address)
    return address


def rabbitmq_environment(home: Path, port: int) -> dict[str, str]:
    (home / "rabbitmq.conf").write_text(
        f"listeners.tcp.1 = 127.0.0.1:{port}\ndisk_free_limit.absolute = 50MB\n"
    )
    (home / "plugins").write_text("[].\n")
    return {
        "HOME": str(home),
        "RABBITMQ_NODENAME": f"tests{port}@localhost",
        "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
        "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
        "RABBITMQ_LOG_BASE": str(home / "log"),
        "RABBITMQ_PID_FILE": str(home / "pid"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "ERL_EPMD_PORT": str(free_port()),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
    }


def wait_for_broker(address: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            with kombu.Connection(address, connect_timeout=2) as connection:
                connection.connect()
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.3)


def stop_rabbitmq(node: "subprocess.Popen[bytes]", environment: dict[str, str]) -> None:
    os.killpg(node.pid, signal.SIGTERM)
    node.wait(timeout=60)
    # The node leaves the port mapper that it started for itself.
    subprocess.run(["epmd", "-kill"], env=environment, capture_output=True, check=False)


def free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


def run(*command: str | Path, user: str | None) -> None:
    extra: list[str] | None = None if user is None else []
    subprocess.run(
        [str(part) for part in command],
        cwd="/",
        user=user,
        group=user,
        extra_groups=extra,
        stdout=subprocess.DEVNULL,
        check=True,
    )
