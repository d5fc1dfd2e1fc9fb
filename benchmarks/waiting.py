"""W1: one row a request, waiting for the answer; ours and the others, turn by turn."""

from collections.abc import Sequence
from typing import Any

from benchmarks.peers.environments import NotInstallable
from benchmarks.rows import MODELS, Model
from benchmarks.servers import Servers
from benchmarks.target import Target
from benchmarks.turns import Cell, take_turn

# The web processes have 128 threads: the others wait for one.
BEYOND_THREADS = 160


def compare(
    targets: Sequence[Target],
    servers: Servers,
    *,
    connections: Sequence[int],
    rounds: int,
    seconds: float,
) -> dict[str, Any]:
    """Give every target a turn a round, in the opposite order in every second round."""
    figures: list[dict[str, Any]] = []
    missing: dict[str, str] = {}
    for number in range(rounds):
        for target in targets[:: -1 if number % 2 else 1]:
            if target.name in missing:
                continue
            try:
                turn = take_turn(target, cells(target, connections, seconds), servers)
            except (NotInstallable, RuntimeError) as reason:
                # A peer that fails costs its own rows; ours has no excuse.
                if target.name == "ours":
                    raise
                missing[target.name] = f"in round {number + 1}: {reason}"
                continue
            figures += [{"target": target.name, "round": number + 1, **one} for one in turn]
            print(f"W1, round {number + 1}: {target.name}: {in_short(turn)}", flush=True)
    return {"figures": figures, "not_measured": missing}


def cells(target: Target, connections: Sequence[int], seconds: float) -> list[Cell]:
    beyond = [BEYOND_THREADS] if target.name == "ours" and max(connections) > 32 else []
    return [
        Cell(Model(slug), count, seconds) for slug in MODELS for count in (*connections, *beyond)
    ]


def in_short(turn: Sequence[dict[str, Any]]) -> str:
    return ", ".join(f"{one['cell']} {one['per_second']}/s" for one in turn)
