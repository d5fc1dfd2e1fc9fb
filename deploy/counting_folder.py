"""The only place that makes the folder in which the processes of one role count together.

No Django here: gunicorn's main process makes one before it loads the application.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "mlservice-counts-"


def parent() -> Path:
    """Name a place in memory where there is one: a count must not wait for a disk."""
    memory = Path("/dev/shm")  # noqa: S108
    return memory if os.access(memory, os.W_OK) else Path(tempfile.gettempdir())


def make_folder(within: Path) -> str:
    """Make a folder that is this process's, and its forks', until the last of them has ended.

    What is left of those that were killed is removed: nobody else does, and memory is short.
    """
    # Nobody may take a folder that was just made, and not locked yet, for a left one.
    with alone_at(os.open(within, os.O_RDONLY)):
        for left in within.glob(f"{PREFIX}*"):
            _remove_if_left(left)
        folder = tempfile.mkdtemp(prefix=PREFIX, dir=within)
        # Held until then by the kernel, which knows better than a number of a process that may be
        # given again, or mean another one in another container.
        fcntl.flock(os.open(folder, os.O_RDONLY), fcntl.LOCK_EX)
    return folder


@contextmanager
def alone_at(opened: int) -> Iterator[None]:
    """Let one at a time hold what a descriptor names, and close it."""
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        # Closing is not enough: a child that was forked meanwhile has it open for life.
        fcntl.flock(opened, fcntl.LOCK_UN)
        os.close(opened)


def _remove_if_left(folder: Path) -> None:
    try:
        held = os.open(folder, os.O_RDONLY)
    except OSError:
        # It is somebody else's, or its process has just ended and takes it along.
        return
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        # Its process lives.
        pass
    finally:
        os.close(held)
