"""The only place where a process can be told to die, fail or sleep at a named step.

`FAILPOINTS="settle_3=kill,relay_1=raise,predict_1=sleep:5"` arms steps; settings refuse it
outside demo and debug mode. With `FAILPOINTS_FOLDER` each armed step fires once, whichever
process comes first; without it every time. Unarmed, `failpoint` is an empty function.
"""

import os
import re
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

STEPS = (
    # predictions.services.claim: before it, and after its commit.
    *("claim_1", "claim_2"),
    # predictions.runner: before a group is predicted, and after it.
    *("predict_1", "predict_2"),
    # predictions.services.settle: the wallets locked, the outcomes written, the holds
    # resolved, all committed.
    *("settle_1", "settle_2", "settle_3", "settle_4"),
    # predictions.relay: a group marked, and its message confirmed.
    *("relay_1", "relay_2"),
)
SPELLING = re.compile(r"(\w+)=(kill|raise|sleep:(\d+(?:\.\d+)?))")


class FailpointReached(Exception):
    """A step was told to fail."""


Failpoint = Callable[[str], None]


def build(text: str, folder: str) -> Failpoint:
    """Return the function that the armed steps call. Raise ImproperlyConfigured on nonsense."""
    if not text:
        return _pass_by
    armed = dict(_read(one) for one in text.split(","))

    def failpoint(step: str) -> None:
        if step in armed and _is_first(step, folder):
            armed[step]()

    return failpoint


def _pass_by(step: str) -> None:
    """Do nothing: no step is armed."""


def _read(one: str) -> tuple[str, Callable[[], None]]:
    found = SPELLING.fullmatch(one.strip())
    if found is None or found[1] not in STEPS:
        raise ImproperlyConfigured(f"FAILPOINTS: {one!r} names no step and action.")
    step, action, seconds = found.groups()
    if seconds:
        return step, partial(time.sleep, float(seconds))
    return step, _kill if action == "kill" else partial(_raise, step)


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _raise(step: str) -> None:
    raise FailpointReached(step)


def _is_first(step: str, folder: str) -> bool:
    if not folder:
        return True
    try:
        # Of several processes one makes the file.
        os.close(os.open(Path(folder) / step, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


failpoint = build(settings.FAILPOINTS, settings.FAILPOINTS_FOLDER)
