"""The only place that says how large the fault tests are: whole, or short for every change."""

import os
from typing import TypeVar

T = TypeVar("T")

IS_SHORT = os.environ.get("FAULTS") == "short"


def sized(whole: T, *, short: T) -> T:
    return short if IS_SHORT else whole


PREDICTIONS = sized(200, short=40)
