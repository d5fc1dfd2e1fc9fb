"""Estimators that misbehave on a marked value: they kill, sleep or allocate in a worker."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

KILL, SLEEP, ALLOCATE = -1.0, -2.0, -3.0
SLEEP_SECONDS = 60
# Written to, for only memory that is used counts.
ALLOCATED_BYTES = 8 * 1024**3


class Marked(BaseEstimator):  # type: ignore[misc]
    """Gives each row's first value back, unless that is a mark; notes each time it kills."""

    def __init__(self, diary: str) -> None:
        self.diary = diary

    def predict(self, rows: Any) -> Any:
        values = np.asarray(rows, dtype=float)[:, 0]
        if KILL in values:
            with Path(self.diary).open("a") as diary:
                diary.write("killed\n")
            os.kill(os.getpid(), signal.SIGKILL)
        if SLEEP in values:
            time.sleep(SLEEP_SECONDS)
        if ALLOCATE in values:
            np.ones(ALLOCATED_BYTES, dtype=np.uint8)
        return values
