"""The only place that holds what was promised, and says of each promise whether it was kept."""

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.ours import PLAIN
from benchmarks.rows import FOREST, LINEAR

Results = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure to be at least or at most so much; `measure` gives None for what was not run."""

    what: str
    needed: float
    measure: Callable[[Results], float | None]
    is_most: bool = False

    def verdict(self, results: Results) -> dict[str, Any]:
        found = self.measure(results)
        if found is None:
            return {
                "goal": self.what,
                "needed": self.bound,
                "found": None,
                "reached": "not measured",
            }
        is_reached = found <= self.needed if self.is_most else found >= self.needed
        said = "reached" if is_reached else "not reached"
        return {"goal": self.what, "needed": self.bound, "found": round(found, 3), "reached": said}

    @property
    def bound(self) -> str:
        return f"{'≤' if self.is_most else '≥'} {self.needed:g}"


def median(results: Results, target: str, cell: str, figure: str = "per_second") -> float | None:
    """Return the median over the rounds of W1."""
    figures = figures_of(results, "W1")
    found = [one[figure] for one in figures if (one["target"], one["cell"]) == (target, cell)]
    return statistics.median(found) if found else None


def figures_of(results: Results, workload: str) -> Sequence[dict[str, Any]]:
    figures: Sequence[dict[str, Any]] = results.get(workload, {}).get("figures", ())
    return figures


def compared(
    figures: Sequence[dict[str, Any]], by: str, one: Any, other: Any, of: str = "per_second"
) -> float | None:
    """Return the median of the ratios of the rounds in which both had their turn."""
    found = {(each[by], each["round"]): each[of] for each in figures}
    both = [number for key, number in found if key == one and (other, number) in found]
    ratios = [float(found[one, number] / found[other, number]) for number in both]
    return statistics.median(ratios) if ratios else None


def over(
    peer: str, cell: str, figure: str = "per_second", *, of: str = "ours"
) -> Callable[[Results], float | None]:
    """Measure ours against a peer in one cell of W1."""

    def ratio(results: Results) -> float | None:
        figures = [one for one in figures_of(results, "W1") if one["cell"] == cell]
        return compared(figures, "target", of, peer, figure)

    return ratio


def accept_ratio(results: Results) -> float | None:
    return compared(figures_of(results, "W2"), "target", "ours, many users", "bare INSERT")


def of_raw(rows: int) -> Callable[[Results], float | None]:
    return lambda results: (
        grouped(results["W3"]["figures"], "rows", "of_raw").get(rows) if "W3" in results else None
    )


def idle_ratio(slug: str) -> Callable[[Results], float | None]:
    return lambda results: (
        grouped(results["W4"]["idle"], "model", "ratio").get(slug) if "W4" in results else None
    )


def paced_ratio(results: Results) -> float | None:
    half = results.get("W4", {}).get("half", ())
    ratios = [float(one["p99_of_idle_p50"]) for one in half]
    return statistics.median(ratios) if ratios else None


def scaling_ratio(results: Results) -> float | None:
    return compared(figures_of(results, "W6"), "workers", 4, 1)


def memory(part: str) -> Callable[[Results], float | None]:
    """Return the most that one process of a part of ours has held."""

    def largest(results: Results) -> float | None:
        figures = figures_of(results, "W1")
        held = [one["parts"][part]["largest_mb"] for one in figures if one["target"] == "ours"]
        return max(held, default=None)

    return largest


def grouped(figures: Sequence[dict[str, Any]], by: str, value: str) -> dict[Any, float]:
    keys = {one[by] for one in figures}
    return {key: statistics.median(one[value] for one in figures if one[by] == key) for key in keys}


def of_waiting() -> Iterator[Goal]:
    """Yield the goals of W1, at 16 and at 32 connections."""
    for count in (16, 32):
        forest, linear = f"{FOREST} c{count}", f"{LINEAR} c{count}"
        yield Goal(f"W1 {forest}, ours ÷ MLServer", 5, over("MLServer", forest))
        yield Goal(f"W1 {forest}, ours ÷ MLServer tuned", 1.1, over("MLServer tuned", forest))
        plain = over("MLServer tuned", forest, of=PLAIN)
        yield Goal(f"W1 {forest}, {PLAIN} ÷ MLServer tuned", 0.8, plain)
        p99 = over("MLServer tuned", forest, "p99_ms")
        yield Goal(f"W1 {forest}, p99, ours ÷ MLServer tuned", 0.4, p99, is_most=True)
        yield Goal(f"W1 {forest}, ours ÷ BentoML batching", 2.5, over("BentoML batching", forest))
        yield Goal(f"W1 {linear}, ours ÷ MLServer", 0.7, over("MLServer", linear))
        yield Goal(f"W1 {linear}, ours ÷ BentoML", 2.5, over("BentoML", linear))
        for cell in (forest, linear):
            yield Goal(f"W1 {cell}, ours ÷ naive", 8, over("naive", cell))
            yield Goal(f"W1 {cell}, ours ÷ MLflow", 8, over("MLflow", cell))


GOALS = (
    *of_waiting(),
    Goal("p99 at half of the reached throughput ÷ idle p50", 2.5, paced_ratio, is_most=True),
    Goal("W2 accepts, ours ÷ a bare INSERT", 0.7, accept_ratio),
    Goal("W3 forest, 1,000 rows a request ÷ raw predict", 0.6, of_raw(1_000)),
    Goal("W4 forest, idle p50 ÷ its indispensable parts", 2.5, idle_ratio(FOREST), is_most=True),
    Goal("W4 linear, idle p50 ÷ its indispensable parts", 2.5, idle_ratio(LINEAR), is_most=True),
    Goal("W6 four workers ÷ one", 3.6, scaling_ratio),
    Goal("Memory of the largest worker process, MB", 250, memory("worker"), is_most=True),
    Goal("Memory of the largest web process, MB", 120, memory("web"), is_most=True),
)


def verdicts(results: Results) -> list[dict[str, Any]]:
    return [goal.verdict(results) for goal in GOALS]
