"""The only place that says what a process and all that it has started take of the machine."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
# Of what follows the name in /proc/<pid>/stat.
PARENT, CPU, CPU_OF_THE_ENDED, RESIDENT = 1, slice(11, 13), slice(13, 15), 21


@dataclass(frozen=True, slots=True)
class Process:
    pid: int
    parent: int
    cpu_seconds: float
    resident_mb: float


@dataclass(frozen=True, slots=True)
class Usage:
    """A process with its descendants; `largest_mb` is of the one that holds most.

    own_mb: what would be free if all ended, where shared pages are divided by their sharers.
    """

    processes: int
    cpu_seconds: float
    largest_mb: float
    own_mb: float


def usage(pid: int) -> Usage:
    """Measure a process and its descendants, those included that have ended."""
    found = {process.pid: process for process in processes()}
    family = [found[one] for one in descendants(pid, found)]
    return Usage(
        processes=len(family),
        cpu_seconds=sum(process.cpu_seconds for process in family),
        largest_mb=max((process.resident_mb for process in family), default=0.0),
        own_mb=sum(proportional_mb(process.pid) for process in family),
    )


def descendants(pid: int, found: Mapping[int, Process]) -> list[int]:
    """Return a process and its descendants: a session would not do, PostgreSQL makes many."""
    children = [one.pid for one in found.values() if one.parent == pid]
    own = [pid] if pid in found else []
    return own + [below for child in children for below in descendants(child, found)]


def processes() -> Iterator[Process]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # A name may hold anything, spaces and brackets too.
            words = (folder / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        ticks = sum(map(int, [*words[CPU], *words[CPU_OF_THE_ENDED]]))
        resident = int(words[RESIDENT]) * PAGE / 1e6
        yield Process(int(folder.name), int(words[PARENT]), ticks / TICKS, resident)


def proportional_mb(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) / 1e3 for line in lines if line.startswith("Pss:"))
