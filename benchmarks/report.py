"""The only place that lays the figures out for people; beside them stand all as JSON."""

import json
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.goals import Results, median, verdicts


def write(results: Results, folder: Path) -> None:
    """Write `service.md` and `service.json`."""
    (folder / "service.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / "service.md").write_text(document(results))


def document(results: Results) -> str:
    return (
        "\n".join(
            [
                "# The service beside its peers",
                "",
                "Made by `make bench`: what is measured and how stands in",
                "[benchmarks](../../benchmarks/README.md); every figure in [JSON](service.json).",
                "",
                *conditions(results),
                "",
                "## Goals",
                "",
                *table(
                    ("goal", "needed", "found", ""),
                    [
                        (one["goal"], one["needed"], shown(one["found"]), one["reached"])
                        for one in verdicts(results)
                    ],
                ),
                "",
                "W5, a long history, is measured by its own command: [history.md](history.md).",
                *chapters(results),
            ]
        ).rstrip()
        + "\n"
    )


def conditions(results: Results) -> Iterator[str]:
    machine, options = results["machine"], results["options"]
    packages = ", ".join(f"{name} {number}" for name, number in machine["packages"].items())
    debian = ", ".join(f"{name} {number}" for name, number in machine["debian"].items())
    yield (
        f"Commit {results['commit']}; {machine['cores']} cores of {machine['cpu']}, "
        f"{machine['memory_gb']} GB, {machine['system']}; Python {machine['python']} "
        f"(a million calls of str in {machine['a_million_calls_ms']} ms), {packages}; {debian}."
    )
    yield ""
    before, after = results["load_average"]
    yield (
        f"{results['began']}, {results['minutes']} minutes; {options['rounds']} rounds of "
        f"{options['seconds']:g} s; load average {before} before and {after} after. Everything, "
        "the load too, ran on this machine."
    )
    if before > 1:
        yield ""
        yield "**Others used the machine meanwhile: figures do not hold, and ratios may drift.**"


def chapters(results: Results) -> Iterator[str]:
    chapter = {"W1": waiting, "W2": accepting, "W3": many_rows, "W4": latency, "W6": scaling}
    for name, lay_out in chapter.items():
        if name in results:
            yield ""
            yield from lay_out(results)
    if "W7" in results:
        yield from ("", "## W7 Start-up", "")
        found = results["W7"]
        yield (
            f"A web process answers after {found['web_seconds']} s; relay and worker have given "
            f"their first prediction after {found['worker_seconds']} s."
        )


def waiting(results: Results) -> Iterator[str]:
    figures = results["W1"]["figures"]
    targets = list(dict.fromkeys(one["target"] for one in figures))
    cells = sorted(
        {one["cell"] for one in figures}, key=lambda cell: (cell.split()[0], len(cell), cell)
    )
    yield from ("## W1 One row a request, waiting for the answer", "")
    yield (
        "Requests a second that were answered with their prediction, and p50 / p99 in ms; medians "
        "over the rounds. In brackets: the share that was told to come back for it. An empty cell: "
        "nothing was answered as long as the load lasted."
    )
    yield ""
    rows = [(target, *(waited(results, target, cell) for cell in cells)) for target in targets]
    absent = [
        (f"{name}: not measured: {reason.splitlines()[0]}", *("" for _ in cells))
        for name, reason in results["W1"]["not_measured"].items()
    ]
    yield from table(("", *cells), rows + absent)
    yield ""
    yield (
        "Processor time of each part in ms a prediction, medians over the rounds; its processes "
        "and their memory in MB where they are most: the largest, and all with shared pages once."
    )
    yield ""
    names = dict.fromkeys((one["target"], part) for one in figures for part in one["parts"])
    yield from table(
        ("", "part", *cells, "processes", "largest", "all"),
        [
            (
                target,
                part,
                *used_by([one for one in figures if one["target"] == target], part, cells),
            )
            for target, part in names
        ],
    )


def used_by(figures: Sequence[Any], part: str, cells: Sequence[str]) -> Iterator[str]:
    """Give a part's processor time at each cell, and the most processes and memory."""
    used = [(one["cell"], one["parts"][part]) for one in figures]
    for cell in cells:
        times = [of["cpu_ms"] for name, of in used if name == cell]
        yield f"{statistics.median(times):.2f}" if times else ""
    for most in ("processes", "largest_mb", "own_mb"):
        yield f"{max(of[most] for _, of in used):g}"


def waited(results: Results, target: str, cell: str) -> str:
    found = [median(results, target, cell, of) for of in ("per_second", "p50_ms", "p99_ms")]
    if None in found:
        return ""
    per_second, p50, p99 = (float(one or 0) for one in found)
    later = median(results, target, cell, "otherwise") or 0
    answered = median(results, target, cell, "answered") or 0
    told = f" ({later / (later + answered):.0%})" if later else ""
    return f"**{per_second:,.0f}** · {p50:.0f} / {p99:.0f}{told}"


def accepting(results: Results) -> Iterator[str]:
    yield from ("## W2 Accepting only", "")
    heads = ("target", "round", "per_second", "p50_ms", "p99_ms")
    yield from figures_of(results["W2"], heads)


def many_rows(results: Results) -> Iterator[str]:
    yield from ("## W3 Many rows a request, forest", "")
    heads = ("rows", "round", "raw", "rows_per_second", "of_raw", "p50_ms", "p99_ms")
    yield from figures_of(results["W3"], heads)


def latency(results: Results) -> Iterator[str]:
    found = results["W4"]
    yield from ("## W4 One client, nothing else", "")
    parts = ("round_trip_ms", "predict_ms", "commit_ms")
    idle = ("model", "round", "p50_ms", "p99_ms", *parts, "ratio")
    yield from figures_of({"figures": found["idle"]}, idle)
    yield from ("", "The forest again, asked at random moments for half of what it reached:", "")
    asked = ("reached_per_second", "per_second", "of_reached")
    half = ("round", *asked, "p50_ms", "p99_ms", "p99_of_idle_p50")
    yield from figures_of({"figures": found["half"]}, half)


def scaling(results: Results) -> Iterator[str]:
    yield from ("## W6 More workers, a model that sleeps", "")
    yield from figures_of(results["W6"], ("workers", "round", "per_second", "p50_ms", "p99_ms"))


def figures_of(found: dict[str, Any], heads: Sequence[str]) -> Iterator[str]:
    yield from table(heads, [[one[head] for head in heads] for one in found["figures"]])


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(str(cell) for cell in row)} |"


def shown(found: float | None) -> str:
    return "" if found is None else f"{found:g}"
