"""The only place that runs servers which a test loses for good: with everything they kept."""

import os
import shutil
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from mlservice.embedded import postgres, valkey
from mlservice.embedded.account import system_user
from mlservice.embedded.home import Home
from tests.debian import is_rabbitmq_installed
from tests.debian.rabbitmq import RabbitMQ
from tests.exits import at_exit, end_with_the_parent


@dataclass
class Machine:
    """A PostgreSQL with an owner and an application's role, a broker, and a model store."""

    folder: Path
    rabbitmq: RabbitMQ | None = None
    processes: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def __post_init__(self) -> None:
        at_exit(self.lose)

    @property
    def home(self) -> Home:
        return Home(self.folder / "state", self.folder / "state" / "sockets")

    @property
    def models(self) -> Path:
        return self.folder / "models"

    @property
    def environment(self) -> dict[str, str]:
        """What a service on this machine, and PostgreSQL's tools, are told."""
        broker = self.rabbitmq.address if self.rabbitmq else self.home.broker_url()
        return {
            "DATABASE_URL": self.home.database_url(),
            "MIGRATION_DATABASE_URL": self.home.owner_url(),
            "BROKER_URL": broker,
            "MODEL_STORE_DIR": str(self.models),
            "PATH": f"{postgres.tools()}:{os.environ['PATH']}",
        }

    def start(self) -> None:
        """Make empty servers and start them."""
        self.start_database()
        self.start_broker()

    def start_database(self) -> None:
        self.models.mkdir(parents=True)
        postgres.prepare(self.home)
        self._run(postgres.command(self.home), signal.SIGQUIT)
        postgres.wait_until_ready(self.home)

    def start_broker(self) -> None:
        """Start RabbitMQ where it is installed, else the checkout's own kind."""
        if is_rabbitmq_installed():
            self.rabbitmq = RabbitMQ.made_in(self.folder)
            self.rabbitmq.start()
        else:
            valkey.prepare(self.home)
            self._run(valkey.command(self.home), signal.SIGKILL)
            valkey.wait_until_ready(self.home)

    def lose(self) -> None:
        """End everything as a fire would, and leave nothing of it."""
        for process in self.processes:
            process.send_signal(signal.SIGQUIT)
            process.wait()
        self.processes.clear()
        if self.rabbitmq:
            self.rabbitmq.kill()
            self.rabbitmq.put_away()
            self.rabbitmq = None
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, command: list[str], last_word: signal.Signals) -> None:
        user = system_user()
        self.processes.append(
            subprocess.Popen(
                command,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                user=user,
                group=user,
                extra_groups=None if user is None else [],
                start_new_session=True,
                preexec_fn=lambda: end_with_the_parent(last_word),
            )
        )
