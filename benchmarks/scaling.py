"""W6: what more workers give where the model sleeps."""

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import joblib

from benchmarks.answers import check_stored, last_stored
from benchmarks.load import drive
from benchmarks.ours import Ours
from benchmarks.rows import Model, Row
from benchmarks.servers import Servers
from benchmarks.sleeper import Sleeper
from benchmarks.turns import told

SLUG = "sleeper"
WORKERS = (1, 2, 4)
CONNECTIONS = 32
ROWS = 64


class SleepingModel(Model):
    """One column in, the same value out."""

    @cached_property
    def columns(self) -> dict[str, str]:
        return {"value": "number"}

    def rows(self, count: int) -> list[Row]:
        return [{"value": number / 8} for number in range(count)]

    def predict(self, rows: Sequence[Row]) -> list[float]:
        return [row["value"] for row in rows]

    def agrees(self, expected: Sequence[float], given: Sequence[float]) -> bool:
        return list(expected) == list(given)


def scale(servers: Servers, *, rounds: int, seconds: float) -> dict[str, Any]:
    """Give each number of workers a turn a round, in the opposite order in every second round."""
    publish(servers)
    figures = [
        {"workers": count, "round": number + 1, **with_workers(servers, count, seconds)}
        for number in range(rounds)
        for count in WORKERS[:: -1 if number % 2 else 1]
    ]
    return {"connections": CONNECTIONS, "figures": figures}


def publish(servers: Servers) -> None:
    folder = Path(servers.service.folder)
    artifact, sample = folder / "sleeper.joblib", folder / "sleeper.csv"
    joblib.dump(Sleeper().fit([[0.0]], [0.0]), artifact)
    sample.write_text("value\n" + "".join(f"{row['value']}\n" for row in model().rows(ROWS)))
    servers.service.manage(
        *("publish_model", "--artifact", str(artifact), "--sample", str(sample)),
        *("--slug", SLUG, "--title", "Sleeper", "--format", "joblib", "--price", "1"),
    )


def model(slug: str = SLUG) -> Model:
    return SleepingModel(slug) if slug == SLUG else Model(slug)


def with_workers(servers: Servers, count: int, seconds: float) -> dict[str, Any]:
    target = Ours(servers.service, servers.tokens, workers=count)
    rows = model().rows(ROWS)
    requests = [target.request(model(), [row], number) for number, row in enumerate(rows)]
    after = last_stored(servers.service)
    with target.running():
        drive(target.address(model()), requests, connections=CONNECTIONS, seconds=2, expected=201)
        measured = drive(
            target.address(model()),
            requests,
            connections=CONNECTIONS,
            seconds=seconds,
            expected=201,
        )
        given = [value for _, body in measured.samples for value in values(body)]
        assert given
        assert set(given) <= {row["value"] for row in rows}
        check_stored(servers.service, after=after, model_of=model)
    return told(measured)


def values(body: str) -> list[float]:
    return [row["prediction"] for row in json.loads(body)["output"]]
