"""The document says what was measured, on what, and what could not be."""

from typing import Any

from benchmarks.report import document

PART = {"cpu_ms": 1.5, "processes": 3, "largest_mb": 100.0, "own_mb": 180.0}
LATER = {"cpu_ms": 1.2, "processes": 3, "largest_mb": 120.5, "own_mb": 170.0}


def figure(
    target: str, per_second: float, *, number: int = 1, part: dict[str, float] = PART
) -> dict[str, Any]:
    return {
        "target": target,
        "round": number,
        "cell": "random-forest c16",
        "per_second": per_second,
        "answered": 90,
        "otherwise": 10,
        "p50_ms": 20.0,
        "p99_ms": 50.0,
        "parts": {"web": part, "worker": part},
    }


def results(load_average: float) -> dict[str, Any]:
    return {
        "began": "2026-01-02 03:04 UTC",
        "commit": "0123456789",
        "minutes": 5,
        "load_average": [load_average, 3.0],
        "options": {"rounds": 1, "seconds": 10.0},
        "machine": {
            "cores": 2,
            "cpu": "a processor",
            "memory_gb": 8,
            "system": "Linux",
            "python": "3.11",
            "a_million_calls_ms": 45,
            "packages": {"django": "5.2"},
            "debian": {"postgresql": "15"},
        },
        "W1": {
            "figures": [figure("ours", 1_200), figure("MLServer", 200)],
            "not_measured": {"MLflow": "No such version.\nMore"},
        },
    }


def test_figures_goals_and_gaps_stand_in_it() -> None:
    text = document(results(0.2))

    assert "| ours | **1,200** · 20 / 50 (10%) |" in text
    assert "| W1 random-forest c16, ours ÷ MLServer | ≥ 5 | 6 | reached |" in text
    assert "| MLflow: not measured: No such version. |" in text
    assert "| ours | worker | 1.50 | 3 | 100 | 180 |" in text


def test_parts_are_told_of_all_rounds() -> None:
    measured = results(0.2)
    measured["W1"]["figures"] += [figure("ours", 900, number=2, part=LATER)]

    assert "| ours | web | 1.35 | 3 | 120.5 | 180 |" in document(measured)


def test_every_workload_has_its_chapter_and_its_goals() -> None:
    times = {"p50_ms": 5.0, "p99_ms": 9.0}
    turns = (("ours, many users", 70), ("bare INSERT", 100))
    measured = results(0.2) | {
        "W2": {
            "figures": [
                {"target": target, "round": 1, "per_second": rate, **times}
                for target, rate in turns
            ]
        },
        "W3": {
            "figures": [
                {
                    "rows": 1_000,
                    "round": 1,
                    "raw": 1_000,
                    "rows_per_second": 650,
                    "of_raw": 0.65,
                    **times,
                }
            ]
        },
        "W4": {
            "idle": [
                {
                    "model": "random-forest",
                    "round": 1,
                    "round_trip_ms": 1.0,
                    "predict_ms": 2.0,
                    "commit_ms": 0.1,
                    "ratio": 1.5,
                    **times,
                }
            ],
            "half": [
                {
                    "round": 1,
                    "reached_per_second": 400,
                    "per_second": 190,
                    "of_reached": 0.48,
                    "p99_of_idle_p50": 3.1,
                    **times,
                }
            ],
        },
        "W6": {
            "figures": [
                {"workers": count, "round": 1, "per_second": 10 * count, **times}
                for count in (1, 4)
            ]
        },
        "W7": {"web_seconds": 2.0, "worker_seconds": 8.0},
    }

    text = document(measured)

    assert "| W2 accepts, ours ÷ a bare INSERT | ≥ 0.7 | 0.7 | reached |" in text
    assert "| W3 forest, 1,000 rows a request ÷ raw predict | ≥ 0.6 | 0.65 | reached |" in text
    assert "| W4 forest, idle p50 ÷ its indispensable parts | ≤ 2.5 | 1.5 | reached |" in text
    assert "| p99 at half of the reached throughput ÷ idle p50 | ≤ 2.5 | 3.1 | not rea" in text
    assert "| W6 four workers ÷ one | ≥ 3.6 | 4 | reached |" in text
    assert "| 1 | 400 | 190 | 0.48 | 5.0 | 9.0 | 3.1 |" in text


def test_a_machine_that_others_used_is_said_to_be_one() -> None:
    assert "Others used the machine" not in document(results(0.2))
    assert "Others used the machine" in document(results(5.0))
