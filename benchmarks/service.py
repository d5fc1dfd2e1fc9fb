"""Measure the whole service, beside its peers: `make bench`, or ours alone: `make bench-quick`."""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.accepting import accept
from benchmarks.goals import Results
from benchmarks.latency import latency
from benchmarks.load import is_installed
from benchmarks.machine import commit, load_average, machine
from benchmarks.many_rows import many_rows
from benchmarks.naive.target import Naive
from benchmarks.ours import PLAIN, PLAINLY, Ours
from benchmarks.peers.bentoml import BentoML
from benchmarks.peers.environments import own_environment
from benchmarks.peers.mlflow import MLflow
from benchmarks.peers.mlserver import IN_ITS_OWN_PROCESS, TUNED, MLServer
from benchmarks.report import document, write
from benchmarks.scaling import scale
from benchmarks.servers import Servers, running_servers
from benchmarks.starting import start_up
from benchmarks.target import Target
from benchmarks.waiting import compare

WORKLOADS = ("W1", "W2", "W3", "W4", "W6", "W7")
# The others wait more than they show.
QUICK = ("W1", "W2", "W3", "W4")
PEERS: Sequence[Target] = (
    MLServer(),
    MLServer(name="MLServer tuned", batching=TUNED, server=IN_ITS_OWN_PROCESS),
    BentoML(),
    BentoML(name="BentoML batching", is_batched=True),
    BentoML(name="BentoML batching, 2 workers", is_batched=True, workers=2),
    MLflow(),
    MLflow(name="MLflow, 2 workers", workers=2),
)


def main() -> None:
    options = arguments()
    if not is_installed():
        raise SystemExit("wrk is missing: apt-get install wrk")
    began, load = time.monotonic(), load_average()
    results: Results = {
        "began": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "commit": commit(),
        "machine": machine(),
        "options": {name: value for name, value in vars(options).items() if name != "report"},
    }
    python = sys.executable if options.quick else own_environment() / "python"
    with running_servers(python=python) as servers:
        for name, measure in workloads(options, servers).items():
            if name in options.workloads:
                results[name] = measure()
                print(f"{name} is done after {time.monotonic() - began:.0f} s", flush=True)
    results["minutes"] = round((time.monotonic() - began) / 60, 1)
    results["load_average"] = [load, load_average()]
    if options.report:
        write(results, options.report)
    print(document(results))


def arguments() -> Any:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="ours alone, one short round")
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=WORKLOADS)
    parser.add_argument("--peers", nargs="*", help="by name; all unless said")
    parser.add_argument("--connections", nargs="+", type=int, default=(16, 32, 64))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10, help="of each single measurement")
    parser.add_argument("--report", type=Path, help="the folder to write the documents to")
    options = parser.parse_args()
    if options.quick:
        options.peers, options.rounds, options.seconds = [], 1, 3.0
        options.connections, options.workloads = (16, 32), QUICK
    return options


def workloads(options: Any, servers: Servers) -> dict[str, Callable[[], dict[str, Any]]]:
    """Name the workloads, each with what measures it."""
    rounds, seconds = options.rounds, options.seconds
    return {
        "W1": partial(
            compare,
            targets(options, servers),
            servers,
            connections=options.connections,
            rounds=rounds,
            seconds=seconds,
        ),
        "W2": partial(accept, servers, rounds=rounds, seconds=seconds),
        "W3": partial(many_rows, servers, rounds=rounds, seconds=seconds),
        "W4": partial(latency, servers, rounds=rounds, seconds=seconds),
        "W6": partial(scale, servers, rounds=rounds, seconds=seconds),
        "W7": partial(start_up, servers, rounds=rounds),
    }


def targets(options: Any, servers: Servers) -> list[Target]:
    ours: Target = Ours(servers.service, servers.tokens)
    if options.quick:
        return [ours]
    plain = Ours(servers.service, servers.tokens, name=PLAIN, worker_env=PLAINLY)
    everyone = [*PEERS, plain, Naive(servers.service, servers.tokens)]
    wanted = [one for one in everyone if options.peers is None or one.name in options.peers]
    return [ours, *wanted]


if __name__ == "__main__":
    main()
