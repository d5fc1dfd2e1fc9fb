"""The only place that gives a process another clock."""

from datetime import UTC, datetime
from pathlib import Path

LIBRARIES = Path("/usr/lib")


def clock_ahead(seconds: int) -> dict[str, str]:
    """Return the environment in which a process's clock is wrong by so many seconds."""
    return _faked(f"{seconds:+d}")


def clock_at(moment: datetime) -> dict[str, str]:
    """Return the environment in which a process starts at this moment."""
    return _faked(moment.astimezone(UTC).strftime("@%Y-%m-%d %H:%M:%S")) | {"TZ": "UTC"}


def _faked(time: str) -> dict[str, str]:
    found = sorted(LIBRARIES.glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        raise FileNotFoundError("libfaketime is missing: apt-get install faketime")
    # Timeouts keep their own clock, as they do where only the calendar is wrong.
    return {
        "LD_PRELOAD": str(found[0]),
        "FAKETIME": time,
        "DONT_FAKE_MONOTONIC": "1",
        "PYTHONPATH": str(Path(__file__).parent / "clocks"),
    }
