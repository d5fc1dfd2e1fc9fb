"""W7: how long a web process takes to its first answer, and a worker to its first prediction."""

import statistics
import time
from typing import Any

from benchmarks.answers import check_stored, last_stored
from benchmarks.ours import Ours
from benchmarks.rows import FOREST, Model
from benchmarks.servers import Servers


def start_up(servers: Servers, *, rounds: int) -> dict[str, Any]:
    taken = [once(servers) for _ in range(rounds)]
    return {
        name: round(statistics.median(one[name] for one in taken), 2)
        for name in ("web_seconds", "worker_seconds")
    }


def once(servers: Servers) -> dict[str, float]:
    target, model = Ours(servers.service, servers.tokens), Model(FOREST)
    after, began = last_stored(servers.service), time.perf_counter()
    with target.accepting():
        web_seconds = time.perf_counter() - began
        began = time.perf_counter()
        target.service.spawn("relay")
        target.service.spawn("worker")
        answer = target.predict(model, model.rows(1))
        worker_seconds = time.perf_counter() - began
        assert answer.status_code == target.expected, answer.text
        check_stored(servers.service, after=after)
    return {"web_seconds": web_seconds, "worker_seconds": worker_seconds}
