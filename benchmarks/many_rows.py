"""W3: many rows a request, beside the estimator alone in one process."""

import time
from typing import Any

from benchmarks.answers import check_samples
from benchmarks.load import drive
from benchmarks.ours import Ours
from benchmarks.rows import FOREST, Model
from benchmarks.servers import Servers
from benchmarks.turns import checked, told

SIZES = (100, 1_000)
CONNECTIONS = 4
BODIES = 8


def many_rows(servers: Servers, *, rounds: int, seconds: float) -> dict[str, Any]:
    """Measure raw `predict`, then requests of each size, round by round."""
    target, model, figures = Ours(servers.service, servers.tokens), Model(FOREST), []
    with target.running(), checked(target, servers):
        for number in range(rounds):
            for size in SIZES:
                raw = raw_rows_per_second(model, size, seconds / 2)
                asked = requested(target, model, size, seconds)
                ratio = round(asked["rows_per_second"] / raw, 3)
                figures.append(
                    {"round": number + 1, "rows": size, "raw": raw, **asked, "of_raw": ratio}
                )
    return {"connections": CONNECTIONS, "figures": figures}


def requested(target: Ours, model: Model, size: int, seconds: float) -> dict[str, Any]:
    rows = model.rows(BODIES * size)
    requests = [
        target.request(model, rows[number * size : (number + 1) * size], number)
        for number in range(BODIES)
    ]
    measured = drive(
        target.address(model), requests, connections=CONNECTIONS, seconds=seconds, expected=201
    )
    check_samples(target, model, measured, model.predict(rows))
    return {"rows_per_second": round(measured.per_second * size), **told(measured)}


def raw_rows_per_second(model: Model, size: int, seconds: float) -> int:
    """Predict arrays of this many rows, ready in memory, one after another."""
    features = model.features(model.rows(size))
    model.estimator.predict(features)
    began, calls = time.perf_counter(), 0
    while (passed := time.perf_counter() - began) < seconds:
        model.estimator.predict(features)
        calls += 1
    return round(calls * size / passed)
