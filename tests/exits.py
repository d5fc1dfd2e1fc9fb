"""The only place that registers what a test run must put away when it ends."""

import atexit
import ctypes
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path


def at_exit(put_away: Callable[[], object]) -> None:
    """Do this when the process that registers it ends, and not when a fork of it does."""
    starter = os.getpid()
    atexit.register(lambda: put_away() if os.getpid() == starter else None)


def end_with_the_parent(number: int) -> None:
    """Ask, in a child just forked, for this signal when the thread that started it is gone.

    A killed run reaches no exit handler.
    """
    # The first option of prctl is PR_SET_PDEATHSIG.
    ctypes.CDLL(None).prctl(1, number)


def remove_in_the_end(folder: Path) -> None:
    """Remove the folder when this process ends, in whatever way it does."""
    # Reading ends when the other end of the pipe is gone; the servers then need a moment.
    watching = ["sh", "-c", 'read -r _; sleep 5; rm -rf -- "$1"', "sh", str(folder)]
    watcher = subprocess.Popen(watching, stdin=subprocess.PIPE, start_new_session=True)

    def remove_now() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        watcher.kill()
        watcher.wait()

    at_exit(remove_now)
