"""The only place that starts, asks and ends the keeper of a checkout's processes."""

import contextlib
import hashlib
import os
import subprocess
import sys
import time
import xmlrpc.client
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import SupervisorTransport

from mlservice.embedded import postgres, valkey
from mlservice.embedded.account import ServerError, make_home
from mlservice.embedded.home import CHECKOUT, Home, make_private_folder
from mlservice.embedded.orphans import end_orphans
from mlservice.embedded.supervisor import KEEPER, configuration, processes, servers

RUNNING = {"RUNNING", "STARTING"}
# What a running process has read, and would not read again.
SOURCES = (
    *("mlservice", "accounts", "billing", "predictions", "ml_models"),
    *("templates", "static", "locale", "requirements.txt", "requirements-local.txt", ".env"),
)
SOURCE_KINDS = {".py", ".html", ".css", ".js", ".po", ".txt", ""}
WITHOUT_WAITING = False


def start_servers(home: Home) -> None:
    """Start the keeper with the servers, afresh if the code or the environment has changed."""
    prepare(home)
    written = home.folder / "supervisord.conf"
    if is_kept(home) and not _has_changed(home, configuration(home)):
        _start(home, [program.name for program in servers(home)])
    else:
        stop(home)
        _write_private(written, configuration(home))
        _write_private(_fingerprint_file(home), _fingerprint(configuration(home)))
        _launch(written, home)
    wait_for_servers(home)


def prepare(home: Home) -> None:
    """Make what the needed servers stand on."""
    make_home(home)
    make_private_folder(home.logs)
    needed = {program.name for program in servers(home)}
    if "postgres" in needed:
        postgres.prepare(home)
    if "valkey" in needed:
        valkey.prepare(home)


def wait_for_servers(home: Home) -> None:
    needed = {program.name for program in servers(home)}
    if "postgres" in needed:
        postgres.wait_until_ready(home)
    if "valkey" in needed:
        valkey.wait_until_ready(home)


def start_processes(home: Home) -> None:
    """Start the service's own processes that do not run yet."""
    _start(home, [program.name for program in processes(home)])


def wait_until_all_run(home: Home, *, timeout_seconds: float = 30) -> None:
    """Return once every process stays up. Raise ServerError naming those that do not."""
    deadline = time.monotonic() + timeout_seconds
    while weak := sorted(name for name, state in statuses(home).items() if state != "RUNNING"):
        if time.monotonic() > deadline:
            raise ServerError(f"Not running: {', '.join(weak)}.")
        time.sleep(0.1)


def remember_port(home: Home, port: int) -> None:
    _write_private(home.folder / "port", str(port))


def remembered_port(home: Home) -> int:
    """Return the port that the web process was started with."""
    return int((home.folder / "port").read_text())


def stop(home: Home, *, timeout_seconds: float = 120) -> None:
    """End all processes, the servers last, and the keeper itself."""
    if not is_kept(home):
        end_orphans(home)
        return
    proxy = _proxy(home)
    # Told all together they end side by side; the keeper alone would wait for each in turn.
    for program in reversed(processes(home)):
        if program.name in running(home):
            proxy.stopProcess(program.name, WITHOUT_WAITING)
    # Another may have said it first.
    with contextlib.suppress(xmlrpc.client.Fault):
        proxy.shutdown()
    deadline = time.monotonic() + timeout_seconds
    while home.keeper_socket.exists() and is_kept(home):
        if time.monotonic() > deadline:
            raise ServerError(f"The processes did not end in {timeout_seconds:.0f} s.")
        time.sleep(0.1)


def is_kept(home: Home) -> bool:
    """Say whether the keeper runs."""
    return bool(statuses(home))


def running(home: Home) -> set[str]:
    return {name for name, state in statuses(home).items() if state in RUNNING}


def statuses(home: Home) -> dict[str, str]:
    """Return the state of each process by its name; nothing while the keeper does not run."""
    if not home.keeper_socket.exists():
        return {}
    try:
        return {each["name"]: each["statename"] for each in _proxy(home).getAllProcessInfo()}
    except xmlrpc.client.Fault:
        # On its way out the keeper answers, but only this.
        return {"supervisord": "STOPPING"}
    except OSError:
        return {}


def _start(home: Home, names: list[str]) -> None:
    proxy, already = _proxy(home), running(home)
    for name in names:
        if name not in already:
            proxy.startProcess(name, WITHOUT_WAITING)


def _proxy(home: Home) -> Any:
    address = f"unix://{home.keeper_socket}"
    transport = SupervisorTransport(KEEPER, home.password(KEEPER), address)
    return xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport).supervisor


def _launch(written: Path, home: Home) -> None:
    launching = [sys.executable, "-m", "supervisor.supervisord", "-c", str(written)]
    environment = os.environ | {"PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"}
    done = subprocess.run(  # noqa: S603
        launching, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise ServerError(f"supervisord did not start: {done.stderr.strip()}")
    deadline = time.monotonic() + 20
    while not is_kept(home):
        if time.monotonic() > deadline:
            raise ServerError(f"supervisord does not answer; see {home.logs}.")
        time.sleep(0.05)


def _has_changed(home: Home, text: str) -> bool:
    file = _fingerprint_file(home)
    return not file.exists() or file.read_text() != _fingerprint(text)


def _fingerprint_file(home: Home) -> Path:
    return home.folder / "fingerprint"


def _fingerprint(text: str) -> str:
    """Return a digest of all that a running process was started from."""
    digest = hashlib.sha256(text.encode())
    for name in _variables():
        digest.update(f"{name}={os.environ.get(name)}\n".encode())
    for file in _sources():
        digest.update(f"{file}:{file.stat().st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _sources() -> list[Path]:
    roots = [CHECKOUT / name for name in SOURCES]
    found = [file for root in roots for file in (root, *root.rglob("*"))]
    return sorted(file for file in found if file.is_file() and file.suffix in SOURCE_KINDS)


def _variables() -> list[str]:
    lines = (CHECKOUT / ".env.example").read_text().splitlines()
    return [line.lstrip("# ").partition("=")[0] for line in lines if "=" in line]


def _write_private(file: Path, text: str) -> None:
    file.touch(mode=0o600)
    file.write_text(text)
