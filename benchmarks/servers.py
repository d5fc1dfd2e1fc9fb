"""The only place that runs the servers under a benchmark: a durable PostgreSQL, and RabbitMQ."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.people import make_users
from tests.debian.ports import free_port
from tests.debian.postgres import Postgres
from tests.debian.rabbitmq import RabbitMQ
from tests.e2e.environment import PLAIN, UNHURRIED
from tests.e2e.live import LiveService, execute, with_database
from tests.exits import remove_in_the_end

DATABASE = "mlservice_benchmark"
USERS = 64
CREDITS_EACH = 10**9
# As an operator would set it; what was accepted survives a power cut.
DURABLE = {
    "fsync": "on",
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "max_connections": "300",
}
SECRETS = {
    "SECRET_KEY": "a key for benchmarks only, long enough to satisfy every check",
    "JWT_SIGNING_KEY": "another key for benchmarks only, also long enough",
}
# Two processes of each kind on two cores, as a checkout has them. So many threads that of 64
# connections, spread by chance, few meet a process that has as many waiting as it may.
SETTINGS = {
    "LOG_LEVEL": "WARNING",
    "PREDICTION_BACKLOG_LIMIT": "10000000",
    "TOP_UP_MAX_CREDITS": "1000000000",
    "WEB_CONCURRENCY": "2",
    "WEB_THREADS": "64",
}


@dataclass(frozen=True)
class Servers:
    """The database and the broker, and the service that has been prepared on them."""

    postgres: Postgres
    rabbitmq: RabbitMQ
    service: LiveService
    tokens: Sequence[str]

    def parts(self) -> Mapping[str, int]:
        assert self.postgres.process
        assert self.rabbitmq.process
        return {
            "PostgreSQL": self.postgres.process.pid,
            "RabbitMQ": self.rabbitmq.process.pid,
        }


@contextmanager
def running_servers(
    *, disk: str = "/var/tmp", python: str | Path = sys.executable
) -> Iterator[Servers]:
    """Start both, prepare the service's database, and end everything by the processes' own ids.

    disk: where the data lie; a file system in memory would make every commit free.
    python: what the service's processes run on.
    """
    folder = Path(tempfile.mkdtemp(prefix="mlservice-bench-", dir=disk))
    remove_in_the_end(folder)
    folder.chmod(0o711)
    postgres, rabbitmq = Postgres.made_in(folder), RabbitMQ.made_in(folder)
    postgres.options |= DURABLE
    try:
        postgres.start()
        rabbitmq.start()
        execute(postgres.address, "CREATE DATABASE {}", DATABASE)
        service = prepared_service(folder, postgres, rabbitmq, python=python)
        tokens = make_users(service, count=USERS, credits=CREDITS_EACH)
        yield Servers(postgres, rabbitmq, service, tokens)
    finally:
        rabbitmq.put_away()
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)


def prepared_service(
    folder: Path,
    postgres: Postgres,
    rabbitmq: RabbitMQ,
    *,
    database: str = DATABASE,
    python: str | Path = sys.executable,
) -> LiveService:
    """Make the tables and publish the models; no process of the service runs yet."""
    logs = folder / "logs"
    logs.mkdir()
    port = str(free_port())
    own = {
        "DATABASE_URL": with_database(postgres.address, database),
        "BROKER_URL": rabbitmq.address,
        "MODEL_STORE_DIR": str(folder / "models"),
        "PORT": port,
    }
    env = os.environ | SECRETS | PLAIN | UNHURRIED | SETTINGS | own
    service = LiveService(f"http://127.0.0.1:{port}", env, folder=logs, python=str(python))
    service.manage("prepare_database", "--verbosity", "0")
    service.manage("publish_model", "--all")
    service.manage("collectstatic", "--noinput", "--verbosity", "0")
    return service
