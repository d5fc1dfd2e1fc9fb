"""The only place that names the processes of a checkout and how each is kept alive."""

import os
import shlex
import sys
from dataclasses import dataclass

from mlservice.embedded import postgres, valkey
from mlservice.embedded.account import system_user
from mlservice.embedded.home import CHECKOUT, Home

KEEPER = "supervisor"
COMMAND_SECTION = """[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""


@dataclass(frozen=True, kw_only=True)
class Program:
    """One process under the keeper: a server starts with the keeper, the rest when told to."""

    name: str
    command: list[str]
    is_server: bool = False
    user: str | None = None
    metrics_port: int | None = None
    stop_signal: str = "TERM"
    stop_wait_seconds: int = 20


def servers(home: Home) -> list[Program]:
    """Return the servers that nobody else was named for."""
    found = []
    if not os.environ.get("DATABASE_URL"):
        run = postgres.command(home)
        # INT lets PostgreSQL end at once and whole, whoever is still connected.
        found.append(_server("postgres", run, stop_signal="INT", stop_wait_seconds=60))
    if not os.environ.get("BROKER_URL"):
        found.append(_server("valkey", valkey.command(home)))
    return found


def _server(
    name: str, command: list[str], *, stop_signal: str = "TERM", stop_wait_seconds: int = 20
) -> Program:
    return Program(
        name=name,
        command=command,
        is_server=True,
        user=system_user(),
        stop_signal=stop_signal,
        stop_wait_seconds=stop_wait_seconds,
    )


def processes(home: Home) -> list[Program]:
    """Return the service's own processes, in the order they start."""
    children = os.environ.get("WORKER_CONCURRENCY") or "2"
    consumed = os.environ.get("WORKER_QUEUES") or "predictions,bulk"
    # Longer than one prediction may take, so that a stop interrupts none.
    grace_seconds = int(os.environ.get("PREDICTION_TIME_LIMIT_SECONDS") or 30) + 10
    # On one machine each role needs a port of its own.
    first_port = int(os.environ.get("METRICS_PORT") or 0)
    relay, worker, duties = range(first_port, first_port + 3) if first_port else (None,) * 3
    celery = [sys.executable, "-m", "celery", "-A", "mlservice"]
    schedule = str(home.folder / "beat-schedule")
    return [
        Program(
            name="worker",
            command=[
                *(*celery, "worker", "--queues", consumed),
                *("--concurrency", children, "--hostname", "worker@%h"),
            ],
            metrics_port=worker,
            stop_wait_seconds=grace_seconds,
        ),
        # A long duty must not occupy a child that predicts; this node loads no models.
        Program(
            name="duties",
            command=[
                *(*celery, "worker", "--queues", "duties"),
                *("--concurrency", "1", "--hostname", "duties@%h"),
            ],
            metrics_port=duties,
        ),
        Program(
            name="relay",
            command=[sys.executable, "manage.py", "run_relay"],
            metrics_port=relay,
        ),
        Program(
            name="web",
            command=[
                *(sys.executable, "-m", "gunicorn"),
                *("-c", "mlservice/gunicorn.py", "mlservice.wsgi"),
            ],
            # Longer than gunicorn gives its own requests.
            stop_wait_seconds=40,
        ),
        Program(name="beat", command=[*celery, "beat", "--schedule", schedule, "--pidfile="]),
    ]


def configuration(home: Home) -> str:
    """Return the keeper's configuration file."""
    programs = [*servers(home), *processes(home)]
    sections = [_keeper_section(home), *(_program_section(home, each) for each in programs)]
    return "\n".join(sections)


def _keeper_section(home: Home) -> str:
    socket = _section(
        "unix_http_server",
        file=str(home.keeper_socket),
        chmod="0700",
        username=KEEPER,
        password=home.password(KEEPER),
    )
    keeper = _section(
        "supervisord",
        directory=str(CHECKOUT),
        logfile=str(home.logs / "supervisord.log"),
        pidfile=str(home.folder / "supervisord.pid"),
        umask="077",
        # Naming root says that running as root is meant.
        **({"user": "root"} if system_user() else {}),
    )
    return "\n".join([socket, keeper, COMMAND_SECTION])


def _program_section(home: Home, program: Program) -> str:
    return _section(
        f"program:{program.name}",
        command=shlex.join(program.command),
        directory="/" if program.is_server else str(CHECKOUT),
        priority="10" if program.is_server else "20",
        autostart="true" if program.is_server else "false",
        autorestart="true",
        startretries="20",
        stopsignal=program.stop_signal,
        stopwaitsecs=str(program.stop_wait_seconds),
        killasgroup="true",
        redirect_stderr="true",
        stdout_logfile=str(home.logs / f"{program.name}.log"),
        stdout_logfile_maxbytes="10MB",
        stdout_logfile_backups="2",
        **({"user": program.user} if program.user else {}),
        **(
            {"environment": f'METRICS_PORT="{program.metrics_port}"'}
            if program.metrics_port
            else {}
        ),
    )


def _section(name: str, **options: str) -> str:
    # The keeper expands a lone percent sign.
    lines = (f"{key}={value.replace('%', '%%')}" for key, value in options.items())
    return "\n".join([f"[{name}]", *lines, ""])
