"""The only place that asks the database for figures: group by group, within bounds."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from django.db import Error, connection, transaction
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

# A figure that takes longer is not worth what it costs those who predict.
MOST_MILLISECONDS = 2_000
# And what has not been begun by then is left out: Prometheus would give all of it up.
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
        ends_at = time.monotonic() + MOST_SECONDS
        is_away = False
        for name, reader in self.readers.items():
            found = [] if is_away or time.monotonic() > ends_at else read(reader)
            is_away = is_away or (not found and not up.samples)
            up.add_metric([name], bool(found))
            yield from found
        yield up

    def describe(self) -> list[Metric]:
        """Promise nothing at start, when no database may be asked."""
        return []


def read(reader: Reader) -> list[Metric]:
    """Read a group of figures; none when the database does not give them in time."""
    try:
        with bounded():
            return list(reader())
    except Error:
        return []


@contextmanager
def bounded() -> Iterator[None]:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = {MOST_MILLISECONDS}")
        yield
