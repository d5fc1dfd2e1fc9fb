"""The only place that starts and ends processes which are not the service's own."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import requests

from tests.exits import end_with_the_parent

STOP_SECONDS = 15
START_SECONDS = 120


def spawn(
    command: Sequence[str | Path], *, env: Mapping[str, str], folder: Path, log: Path
) -> "subprocess.Popen[bytes]":
    """Start a process, and a group with it, that ends with this one."""
    with log.open("ab") as said:
        return subprocess.Popen(
            command,
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
            preexec_fn=lambda: end_with_the_parent(signal.SIGKILL),
        )


def end(process: "subprocess.Popen[bytes]") -> None:
    """Ask a process to end, and end what is left of its group."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_until(is_so: Callable[[], bool], process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Return once it is so; fail with the end of the log when it is not in time."""
    deadline = time.monotonic() + START_SECONDS
    while not is_so():
        if time.monotonic() > deadline or process.poll() is not None:
            raise RuntimeError(f"It did not start.\n{log.read_text(errors='replace')[-3_000:]}")
        time.sleep(0.1)


def answers(method: str, address: str, **more: object) -> bool:
    """Tell whether a request is answered as it should be."""
    with suppress(requests.RequestException):
        return requests.request(method, address, timeout=30, **more).ok  # type: ignore[arg-type]
    return False
