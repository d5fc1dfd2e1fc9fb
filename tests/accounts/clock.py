"""The only place that moves the clock by which links grow old and letters pause."""

import time
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.tokens import PasswordResetTokenGenerator

from accounts.letters import PAUSE_MINUTES

PAUSE_SECONDS = PAUSE_MINUTES * 60
BEGINNING_OF_A_PAUSE = time.time() // PAUSE_SECONDS * PAUSE_SECONDS


def set_clock(monkeypatch: pytest.MonkeyPatch, ahead: timedelta = timedelta()) -> None:
    """Stop the clock so much after the beginning of a pause."""
    now = BEGINNING_OF_A_PAUSE + ahead.total_seconds()
    local_now = datetime.fromtimestamp(now)  # noqa: DTZ006
    monkeypatch.setattr(time, "time", lambda: now)
    monkeypatch.setattr(PasswordResetTokenGenerator, "_now", lambda self: local_now)
