"""W4: what one client waits while nothing else is asked, and what many wait at half the load."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import kombu

from benchmarks.answers import check_samples
from benchmarks.load import Measured, drive
from benchmarks.ours import Ours
from benchmarks.rows import FOREST, MODELS, Model
from benchmarks.servers import Servers
from benchmarks.turns import REQUESTS, ROWS, checked, told

TIMES = 200
CONNECTIONS = 16


def latency(servers: Servers, *, rounds: int, seconds: float) -> dict[str, Any]:
    """Measure the idle way of both models, its indispensable parts, and the paced load."""
    found = [one_round(servers, seconds) for _ in range(rounds)]
    return {
        "idle": [{"round": at, **one} for at, (idle, _) in enumerate(found, 1) for one in idle],
        "half": [{"round": at, **half} for at, (_, half) in enumerate(found, 1)],
    }


def one_round(servers: Servers, seconds: float) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    target = Ours(servers.service, servers.tokens)
    with target.running(), checked(target, servers):
        idle = [idle_way(target, Model(slug), servers, seconds) for slug in MODELS]
        [forest] = [one for one in idle if one["model"] == FOREST]
        return idle, at_half(target, forest["p50_ms"], seconds)


def idle_way(target: Ours, model: Model, servers: Servers, seconds: float) -> dict[str, Any]:
    measured = asked(target, model, connections=1, seconds=seconds)
    parts = {
        "round_trip_ms": round_trip_ms(servers),
        "predict_ms": predict_ms(model),
        "commit_ms": commit_ms(servers),
    }
    least = parts["round_trip_ms"] + parts["predict_ms"] + 3 * parts["commit_ms"]
    return {
        "model": model.slug,
        **told(measured),
        **{name: round(value, 3) for name, value in parts.items()},
        "ratio": round(measured.p50_ms / least, 2),
    }


def at_half(target: Ours, idle_p50_ms: float, seconds: float) -> dict[str, Any]:
    """Find what the forest reaches, then ask for half of it at random moments."""
    reached = asked(target, Model(FOREST), connections=CONNECTIONS, seconds=seconds)
    pause_ms = max(1.0, CONNECTIONS / (reached.per_second / 2) * 1e3 - idle_p50_ms)
    paced = asked(
        target, Model(FOREST), connections=CONNECTIONS, seconds=2 * seconds, pause_ms=pause_ms
    )
    return {
        "reached_per_second": round(reached.per_second, 1),
        **told(paced),
        "of_reached": round(paced.per_second / reached.per_second, 2),
        "p99_of_idle_p50": round(paced.p99_ms / idle_p50_ms, 2),
    }


def asked(
    target: Ours, model: Model, *, connections: int, seconds: float, pause_ms: float = 0
) -> Measured:
    rows = model.rows(ROWS)
    requests = [target.request(model, [rows[number % ROWS]], number) for number in range(REQUESTS)]
    measured = drive(
        target.address(model),
        requests,
        connections=connections,
        seconds=seconds,
        expected=target.expected,
        pause_ms=pause_ms,
    )
    check_samples(target, model, measured, model.predict(rows))
    return measured


def round_trip_ms(servers: Servers) -> float:
    """Publish to a queue of one's own, confirmed, and take the message from it."""
    options, once_used = {"confirm_publish": True}, {"auto_delete": True}
    with (
        kombu.Connection(servers.rabbitmq.address, transport_options=options) as connection,
        connection.SimpleQueue("benchmark-round-trip", queue_opts=once_used) as queue,
    ):

        def there_and_back() -> None:
            queue.put("ids")
            message = queue.get(timeout=10)
            message.ack()
            assert message.payload == "ids"

        return median_ms(there_and_back)


def predict_ms(model: Model) -> float:
    features = model.features(model.rows(1))
    return median_ms(lambda: model.estimator.predict(features))


def commit_ms(servers: Servers) -> float:
    with servers.service.connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS committed (id int)")
        return median_ms(lambda: cursor.execute("INSERT INTO committed VALUES (1)"))


def median_ms(once: Callable[[], object]) -> float:
    taken = []
    for _ in range(TIMES):
        began = time.perf_counter()
        once()
        taken.append((time.perf_counter() - began) * 1e3)
    return statistics.median(taken)
