"""The only place that ends what a keeper left behind when it was killed itself."""

import contextlib
import os
import signal
import time
from pathlib import Path

from mlservice.embedded.home import Home

PATIENCE_SECONDS = 45


def end_orphans(home: Home) -> None:
    """End every process that this home's keeper started; a new one would find its place taken."""
    _tell(_orphans(home), signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while left := _orphans(home):
        if time.monotonic() > deadline:
            _tell(left, signal.SIGKILL)
        time.sleep(0.2)


def _tell(processes: list[int], what: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, what)


def _orphans(home: Home) -> list[int]:
    folders = Path("/proc").glob("[0-9]*")
    return [int(folder.name) for folder in folders if _is_of(folder, home)]


def _is_of(process: Path, home: Home) -> bool:
    # The keeper writes its address into the environment of all it starts; Valkey writes its
    # title over that environment, and names its socket there.
    mark = os.fsencode(f"SUPERVISOR_SERVER_URL=unix://{home.keeper_socket}")
    title = os.fsencode(f"unixsocket:{home.broker_socket}")
    return mark in _read(process / "environ").split(b"\0") or title in _read(process / "cmdline")


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""
