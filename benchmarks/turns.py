"""One turn of one target: started, measured at each number of connections, checked, ended."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.answers import check_samples, check_stored, check_target, last_stored
from benchmarks.load import Measured, Silent, drive
from benchmarks.machine import load_average
from benchmarks.ours import Ours
from benchmarks.processes import Usage, usage
from benchmarks.rows import Model
from benchmarks.servers import Servers
from benchmarks.target import Target

# So many different rows are asked for; each also by several users.
ROWS = 256
REQUESTS = 1_024
# Every thread of a web process has opened its connection by then.
WARM_SECONDS = 3


@dataclass(frozen=True)
class Cell:
    """What is measured of one target: a model, at a number of connections."""

    model: Model
    connections: int
    seconds: float

    @property
    def name(self) -> str:
        return f"{self.model.slug} c{self.connections}"


def take_turn(target: Target, cells: Sequence[Cell], servers: Servers) -> list[dict[str, Any]]:
    """Start the target, check it, measure every cell; return a figure a cell."""
    with target.running(), checked(target, servers):
        for model in {cell.model.slug: cell.model for cell in cells}.values():
            check_target(target, model, model.rows(ROWS)[:64], at_once=16)
        return list(answered(target, cells, servers))


def answered(target: Target, cells: Sequence[Cell], servers: Servers) -> Iterator[dict[str, Any]]:
    """Measure each cell; one that another target leaves without any answer is passed over."""
    for cell in cells:
        try:
            yield figure(target, cell, servers)
        except Silent as silence:
            # Who can answer that it will be later has no excuse for silence.
            if target.later:
                raise
            print(f"{target.name}, {cell.name}: {silence}", flush=True)


@contextmanager
def checked(target: Target, servers: Servers) -> Iterator[None]:
    """Check, where the target stores, all it has stored and the books, before it is ended."""
    if not isinstance(target, Ours):
        yield
        return
    after = last_stored(servers.service)
    yield
    check_stored(servers.service, after=after)


def figure(target: Target, cell: Cell, servers: Servers) -> dict[str, Any]:
    """Measure one cell, with the memory and the processor time of each part."""
    rows = cell.model.rows(ROWS)
    requests = [
        target.request(cell.model, [rows[number % ROWS]], number) for number in range(REQUESTS)
    ]
    with suppress(Silent):
        load(target, cell, requests, WARM_SECONDS)
    parts = dict(target.parts()) | (dict(servers.parts()) if isinstance(target, Ours) else {})
    before = {name: usage(pid) for name, pid in parts.items()}
    measured = load(target, cell, requests, cell.seconds)
    after = {name: usage(pid) for name, pid in parts.items()}
    verified = check_samples(target, cell.model, measured, cell.model.predict(rows))
    return {
        "cell": cell.name,
        "load_average": load_average(),
        "verified_samples": verified,
        **told(measured),
        "parts": per_prediction(before, after, measured),
    }


def load(target: Target, cell: Cell, requests: Sequence[str], seconds: float) -> Measured:
    return drive(
        target.address(cell.model),
        requests,
        connections=cell.connections,
        seconds=seconds,
        expected=target.expected,
        tolerated=target.later,
    )


def told(measured: Measured) -> dict[str, Any]:
    """Return what is kept of a run of the load."""
    known = asdict(measured)
    kept = ("answered", "otherwise", "p50_ms", "p90_ms", "p99_ms", "max_ms")
    return {"per_second": round(measured.per_second, 1), **{name: known[name] for name in kept}}


def per_prediction(
    before: Mapping[str, Usage], after: Mapping[str, Usage], measured: Measured
) -> dict[str, dict[str, float]]:
    """Say of each part its memory, and its processor time in milliseconds a prediction."""
    return {
        name: {
            "cpu_ms": round(
                (used.cpu_seconds - before[name].cpu_seconds) * 1e3 / measured.answered, 3
            ),
            "processes": used.processes,
            "largest_mb": round(used.largest_mb, 1),
            "own_mb": round(used.own_mb, 1),
        }
        for name, used in after.items()
    }
