"""The only place that moves the clock by which links grow old and letters pause."""

import time
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.tokens import PasswordResetTokenGenerator


def set_clock(monkeypatch: pytest.MonkeyPatch, ahead: timedelta) -> None:
    """Let what is signed, worded or checked from now on happen so much later than it does."""
    now, local_now = time.time() + ahead.total_seconds(), datetime.now() + ahead  # noqa: DTZ005
    monkeypatch.setattr(time, "time", lambda: now)
    monkeypatch.setattr(PasswordResetTokenGenerator, "_now", lambda self: local_now)
