"""The only place that limits how much memory this process may take."""

import re
import resource
from pathlib import Path

BYTES_IN_MB = 1_048_576
STATUS = Path("/proc/self/status")


def limit_memory(more_mb: int) -> None:
    """Let this process take so much more than it has now; beyond that it gets a MemoryError.

    0 means no limit. What is counted is memory written to, not files mapped to be read.
    """
    if more_mb:
        most = data_bytes() + more_mb * BYTES_IN_MB
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def data_bytes() -> int:
    """Return how much of its own data this process has mapped."""
    found = re.search(r"^VmData:\s+(\d+) kB$", STATUS.read_text(), flags=re.MULTILINE)
    return int(found[1]) * 1_024 if found else 0
