"""The only place that reads the Prefer header (RFC 7240)."""

import re

DEFAULT_WAIT_SECONDS = 60
MAX_WAIT_SECONDS = 60


def preferred_wait_seconds(header: str) -> int:
    """Give the seconds a client will wait: 0 without the preference, at most 60.

    `wait` alone means 60. A preference that cannot be read is ignored, as the RFC has it.
    """
    for preference in header.lower().split(","):
        if preference.strip() == "wait":
            return DEFAULT_WAIT_SECONDS
        if match := re.fullmatch(r"\s*wait\s*=\s*\"?([0-9]{1,9})\"?\s*", preference):
            return min(int(match[1]), MAX_WAIT_SECONDS)
    return 0
