"""The only place that makes, starts, stops, kills and commands a private RabbitMQ of Debian's."""

import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import kombu

from tests.debian.ports import free_port
from tests.exits import at_exit, end_with_the_parent

# Not the wrapper in sbin, which switches the user.
INSTALLED = Path("/usr/lib/rabbitmq/bin")
READY_SECONDS = 60
DISK_FREE_LIMIT = "50MB"


@dataclass
class RabbitMQ:
    """One node; its address stays the same through stops and starts."""

    home: Path
    port: int
    environment: dict[str, str] = field(repr=False)
    process: "subprocess.Popen[bytes] | None" = None

    @classmethod
    def made_in(cls, folder: Path) -> "RabbitMQ":
        """Prepare a node's folder and choose its ports."""
        if not (INSTALLED / "rabbitmq-server").exists():
            raise FileNotFoundError("RabbitMQ is missing: apt-get install rabbitmq-server")
        home = folder / "rabbitmq"
        home.mkdir(mode=0o700)
        port = free_port()
        broker = cls(home, port, os.environ | own_environment(home, port))
        at_exit(broker.put_away)
        return broker

    @property
    def address(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def start(self) -> None:
        """Start the node and return when it takes connections."""
        with (self.home / "output").open("ab") as output:
            self.process = subprocess.Popen(
                [INSTALLED / "rabbitmq-server"],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=lambda: end_with_the_parent(signal.SIGTERM),
            )
        self.wait()

    def wait(self) -> None:
        """Return when the node takes connections."""
        deadline = time.monotonic() + READY_SECONDS
        while not self.answers():
            if time.monotonic() > deadline:
                raise TimeoutError((self.home / "output").read_text()[-2_000:])
            time.sleep(0.2)

    def answers(self) -> bool:
        try:
            with kombu.Connection(self.address, connect_timeout=2) as connection:
                connection.connect()
        except OSError:
            return False
        return True

    def kill(self) -> None:
        """End the node as a power cut would."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def control(self, *arguments: str) -> str:
        """Run a command of `rabbitmqctl` on the node and return what it printed."""
        done = subprocess.run(
            [INSTALLED / "rabbitmqctl", "--quiet", *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=READY_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"rabbitmqctl {arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def put_away(self) -> None:
        """Stop the node in order, and the port mapper that it left for itself."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(timeout=READY_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
        self.process = None
        subprocess.run(["epmd", "-kill"], env=self.environment, capture_output=True, check=False)


def own_environment(home: Path, port: int) -> dict[str, str]:
    (home / "rabbitmq.conf").write_text(
        f"listeners.tcp.1 = 127.0.0.1:{port}\ndisk_free_limit.absolute = {DISK_FREE_LIMIT}\n"
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
