"""The only place that looks at how many processes a role has, and how much memory they take."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

RESIDENT = re.compile(r"^VmRSS:\s+(\d+) kB$", flags=re.MULTILINE)


class Processes(Collector):
    """The main process of a role and its children, as the kernel counts them when asked."""

    def __init__(self, *, asked_in_a_child: bool = False) -> None:
        self.asked_in_a_child = asked_in_a_child

    def collect(self) -> Iterator[GaugeMetricFamily]:
        main = os.getppid() if self.asked_in_a_child else os.getpid()
        children = [resident_bytes(child) for child in children_of(main)]
        alive = GaugeMetricFamily("mlservice_children", "Processes that do the role's work.")
        alive.add_metric([], len(children))
        memory = GaugeMetricFamily(
            "mlservice_process_memory_bytes",
            "Resident memory of the main process, of all its children, and of the largest.",
            labels=["process"],
        )
        memory.add_metric(["main"], resident_bytes(main))
        memory.add_metric(["children"], sum(children))
        memory.add_metric(["largest_child"], max(children, default=0))
        yield from (alive, memory)

    def describe(self) -> list[GaugeMetricFamily]:
        return []


def children_of(process_id: int) -> list[int]:
    """Return the ids of the processes that a process has forked, from any of its threads."""
    found: list[int] = []
    for listed in Path(f"/proc/{process_id}/task").glob("*/children"):
        # A thread may end meanwhile.
        with suppress(OSError):
            found += [int(child) for child in listed.read_text().split()]
    return found


def resident_bytes(process_id: int) -> int:
    with suppress(OSError):
        if found := RESIDENT.search(Path(f"/proc/{process_id}/status").read_text()):
            return int(found[1]) * 1_024
    return 0
