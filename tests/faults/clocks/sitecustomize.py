"""Loaded by a Python that runs under libfaketime: mends what that breaks.

Python's own sleep waits until a moment of the monotonic clock, which the library shifts even
where it is told to leave that clock alone; the system then refuses the moment.
"""

import select
import time


def sleep(seconds: float) -> None:
    select.select([], [], [], seconds)


time.sleep = sleep  # type: ignore[assignment]
