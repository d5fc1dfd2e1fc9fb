"""A goal is reached, missed or not measured; ratios are of rounds that both took part in."""

import pytest

from benchmarks.goals import GOALS, Goal, over, scaling_ratio, verdicts

CELL = "random-forest c16"


def round_of(target: str, number: int, per_second: float, p99_ms: float = 10) -> dict[str, object]:
    figures = {"per_second": per_second, "p99_ms": p99_ms}
    return {"target": target, "round": number, "cell": CELL, **figures}


def test_a_ratio_is_the_median_of_the_rounds_that_both_took() -> None:
    figures = [
        *(round_of("ours", number, rate) for number, rate in enumerate((200, 300, 900), start=1)),
        *(round_of("peer", number, 100) for number in (1, 2)),
    ]

    found = over("peer", CELL)({"W1": {"figures": figures}})

    assert found == 2.5


@pytest.mark.parametrize(
    ("found", "is_most", "said"),
    [(2.0, False, "reached"), (1.9, False, "not reached"), (2.1, True, "not reached")],
)
def test_a_goal_is_a_bound_from_one_side(found: float, *, is_most: bool, said: str) -> None:
    goal = Goal("more of it", 2, lambda results: found, is_most=is_most)

    assert goal.verdict({})["reached"] == said


def test_nothing_measured_reaches_nothing() -> None:
    found = verdicts({})

    assert len(found) == len(GOALS)
    assert {one["reached"] for one in found} == {"not measured"}


def test_four_workers_are_compared_with_one() -> None:
    rates = ((1, 1, 20), (2, 1, 40), (4, 1, 78), (4, 2, 60), (1, 2, 15), (1, 3, 1), (4, 3, 3.5))
    figures = [
        {"workers": count, "round": number, "per_second": rate} for count, number, rate in rates
    ]

    assert scaling_ratio({"W6": {"figures": figures}}) == 3.9
