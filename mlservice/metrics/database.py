"""The only place that asks the database for figures: group by group, each within bounds."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import Error, OperationalError, connection, transaction
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

# A figure that takes longer is not worth what it costs those who predict.
MOST_MILLISECONDS = 2_000
# All groups together. With the last statement's two seconds it is less than the ten that
# Prometheus waits: else one slow group would take all figures of the process along.
MOST_SECONDS = 6.0

Reader = Callable[[], Iterator[Metric]]


class Readings(Collector):
    """What the database knows, read when it is asked; of what cannot be read it says so.

    The first group tells whether the database answers at all: if not, nothing else is tried.
    """

    def __init__(self, readers: Mapping[str, Reader]) -> None:
        self.readers = readers

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily(
            "mlservice_collector_up",
            "Whether a group of figures could be read from the database in time.",
            labels=["collector"],
        )
        is_away, end = False, time.monotonic() + MOST_SECONDS
        for name, reader in self.readers.items():
            found = [] if is_away else read(reader, end)
            is_away = is_away or (not found and not up.samples)
            up.add_metric([name], bool(found))
            yield from found
        yield up

    def describe(self) -> list[Metric]:
        """Promise nothing at start, when no database may be asked."""
        return []


def read(reader: Reader, end: float) -> list[Metric]:
    """Read a group of figures; none when the database does not give them in time.

    `end`: a moment of the monotonic clock after which nothing more is asked.
    """
    try:
        with bounded(end):
            return list(reader())
    except Error:
        return []


@contextmanager
def bounded(end: float) -> Iterator[None]:
    """Give each statement its time, a group as much again, and all of them until the end."""
    end = min(end, time.monotonic() + MOST_MILLISECONDS / 1_000)

    def ask_in_time(execute: Callable[..., Any], *asked: Any) -> Any:
        if time.monotonic() >= end:
            raise OperationalError("The time for figures is over.")
        return execute(*asked)

    # Inside of the transaction, so that its end is asked for in any case.
    with transaction.atomic(), connection.execute_wrapper(ask_in_time):
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = {MOST_MILLISECONDS}")
        yield
