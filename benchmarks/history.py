"""W5: what a history of many predictions costs: `make bench-history`.

Beside W1, it reads the pages and the API as the owner of the longest history, at each size.
"""

import argparse
import json
import shutil
import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.machine import load_average, machine
from benchmarks.ours import Ours
from benchmarks.people import make_users
from benchmarks.report import table
from benchmarks.rows import LINEAR, Model
from benchmarks.servers import CREDITS_EACH, USERS, Servers, prepared_service, running_servers
from benchmarks.turns import Cell, take_turn
from tests.e2e.live import LiveService, execute

SIZES = (10_000, 1_000_000)
LARGEST = 10_000_000
DATA = Path("/var/tmp")
# With indexes and the log that filling them writes; an estimate until a run has found it.
KB_A_PREDICTION = 2.2
GOAL = 1.2
FILL_SECONDS = 3_600


def main() -> None:
    options = arguments()
    sizes = (*SIZES, LARGEST) if options.largest else SIZES
    refuse_small_disk(max(sizes))
    before = load_average()
    figures = measured(sizes, options.rounds, options.seconds)
    results = {"machine": machine(), "load_average": [before, load_average()], "sizes": figures}
    told = document(results)
    print(told)
    if options.report:
        (options.report / "history.md").write_text(told)
        (options.report / "history.json").write_text(json.dumps(results, indent=1) + "\n")


def arguments() -> Any:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--largest", action="store_true", help="10 million as well")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10, help="of W1 at each size")
    parser.add_argument("--report", type=Path, help="the folder to write the documents to")
    return parser.parse_args()


def refuse_small_disk(size: int) -> None:
    needed, free = size * KB_A_PREDICTION * 1e3, shutil.disk_usage(DATA).free
    print(f"Needs {needed / 1e9:.1f} GB under {DATA}, where {free / 1e9:.1f} are free.", flush=True)
    if needed > free:
        raise SystemExit("There is not enough room.")


def measured(sizes: Sequence[int], rounds: int, seconds: float) -> dict[int, dict[str, Any]]:
    """Fill a database a size, then read them in turn, and predict on top of each in turn."""
    with running_servers(disk=str(DATA)) as servers:
        filled = {size: filled_with(size, servers) for size in sizes}
        taken = [{size: reads_of(filled[size]) for size in sizes} for _ in range(rounds)]
        waited = [{size: predicted(filled[size], seconds) for size in sizes} for _ in range(rounds)]
        return {
            size: {
                "database_mb": size_mb(filled[size]),
                "reads": {
                    name: statistics.median(one[size][name] for one in taken)
                    for name in taken[0][size]
                },
                "W1": statistics.median(one[size] for one in waited),
                "rounds": {
                    "reads": [one[size] for one in taken],
                    "W1": [one[size] for one in waited],
                },
            }
            for size in sizes
        }


def filled_with(size: int, servers: Servers) -> Servers:
    """Prepare the service on a database of its own, and fill that."""
    name = f"history_{size}"
    execute(servers.postgres.address, "CREATE DATABASE {}", name)
    folder = Path(servers.service.folder).parent / name
    folder.mkdir()
    service = prepared_service(folder, servers.postgres, servers.rabbitmq, database=name)
    asked(service, str(size))
    print(f"{size:,} predictions are there.", flush=True)
    tokens = make_users(service, count=USERS, credits=CREDITS_EACH)
    return replace(servers, service=service, tokens=tokens)


def reads_of(servers: Servers) -> dict[str, float]:
    """Read each page and endpoint; in milliseconds, medians."""
    times: dict[str, float] = json.loads(asked(servers.service, "read"))
    return times


def asked(service: LiveService, what: str) -> str:
    done = service.run_python("-m", "benchmarks.filled_history", what, timeout_seconds=FILL_SECONDS)
    assert done.returncode == 0, done.stderr
    return done.stdout


def predicted(servers: Servers, seconds: float) -> float:
    cell = Cell(Model(LINEAR), 16, seconds)
    [waited] = take_turn(Ours(servers.service, servers.tokens), [cell], servers)
    return float(waited["per_second"])


def size_mb(servers: Servers) -> int:
    [[size]] = servers.service.query("SELECT pg_database_size(current_database()) / 1000000")
    return int(size)


def document(results: dict[str, Any]) -> str:
    machine_of, sizes = results["machine"], results["sizes"]
    small, *_, large = sizes
    rounds = len(sizes[small]["rounds"]["reads"])
    lines = [
        "# A long history",
        "",
        "Made by `make bench-history`: [how](../../benchmarks/README.md).",
        f"{machine_of['cores']} cores of {machine_of['cpu']}; load average "
        f"{results['load_average'][0]} before and {results['load_average'][1]} after. "
        f"Medians of {rounds} rounds, in each of which every size had its turn.",
        f"Goal: nothing takes more than {GOAL} times as long at {large:,} predictions as at "
        f"{small:,}.",
        "",
        *table(
            ("median, ms", *(f"{size:,}" for size in sizes), "ratio", ""),
            [
                (name, *times, f"{times[-1] / times[0]:.2f}", verdict(times))
                for name, times in times_of(sizes).items()
            ],
        ),
        "",
        *table(
            ("", *(f"{size:,}" for size in sizes)),
            [
                (
                    "W1 linear c16, /s",
                    *(one["W1"] for one in sizes.values()),
                ),
                ("database, MB", *(one["database_mb"] for one in sizes.values())),
            ],
        ),
    ]
    return "\n".join(lines) + "\n"


def times_of(sizes: dict[int, dict[str, Any]]) -> dict[str, list[float]]:
    names = next(iter(sizes.values()))["reads"]
    return {name: [one["reads"][name] for one in sizes.values()] for name in names}


def verdict(times: list[float]) -> str:
    return "reached" if times[-1] <= GOAL * times[0] else "not reached"


if __name__ == "__main__":
    main()
