"""The only place that registers what a test run must put away when it ends."""

import atexit
import os
from collections.abc import Callable


def at_exit(put_away: Callable[[], object]) -> None:
    """Do this when the process that registers it ends, and not when a fork of it does."""
    starter = os.getpid()
    atexit.register(lambda: put_away() if os.getpid() == starter else None)
