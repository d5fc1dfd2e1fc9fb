"""Goal: numbers land where they belong in a chart, and its ticks are round."""

import pytest

from mlservice.lib import charts
from mlservice.lib.scales import nice_edges, nice_step


@pytest.mark.parametrize(
    ("span", "most", "step"),
    [(20_000, 5, 5_000), (1, 5, 0.2), (0.3, 3, 0.1), (5_400, 30, 200), (7, 10, 1), (0, 5, 1)],
)
def test_a_step_is_one_two_or_five_times_a_power_of_ten(
    span: float, most: int, step: float
) -> None:
    assert nice_step(span, most) == pytest.approx(step)


@pytest.mark.parametrize(
    ("low", "high", "most", "edges"),
    [
        (0, 1_200, 3, [0, 500, 1_000, 1_500]),
        (-2.3, 4.1, 4, [-4, -2, 0, 2, 4, 6]),
        (0.0001, 0.0004, 3, [0.0001, 0.0002, 0.0003, 0.0004]),
        (7, 7, 3, [7, 8]),
        (-0.3, 0, 3, [-0.3, -0.2, -0.1, 0]),
        (1e12, 1e12, 3, [1e12, 1e12 + 10]),
        (-3e15, -3e15, 3, [-3e15, -3e15 + 1e4]),
        (0, 5e-324, 3, [0, 1]),
    ],
)
def test_edges_are_round_and_hold_the_range(
    low: float, high: float, most: int, edges: list[float]
) -> None:
    assert nice_edges(low, high, most) == edges


def test_a_value_is_placed_by_its_part_of_the_scale() -> None:
    scale = charts.scale_of(0, 950)

    assert (scale.low, scale.high) == (0, 1_000)
    assert [scale.place(value) for value in (0, 250, 1_000)] == [0, 25, 100]
    assert charts.from_above(scale.place(250)) == 75


def test_a_scale_without_an_extent_has_its_middle_alone() -> None:
    scale = charts.Scale(7, 7)

    assert scale.place(7) == 50
    assert [(tick.place, tick.label) for tick in charts.x_ticks(scale)] == [(50, "7")]


def test_ticks_are_named_for_the_reader_and_lie_inside() -> None:
    ticks = charts.y_ticks(charts.Scale(-500, 20_400))

    assert [tick.label for tick in ticks] == ["0", "5,000", "10,000", "15,000", "20,000"]
    assert ticks[0].place > ticks[-1].place
    assert all(0 <= tick.place <= 100 for tick in ticks)


def test_bars_stand_side_by_side_and_the_smallest_is_seen() -> None:
    drawn = charts.bars([0, 1, 500, 1_000], ["a", "b", "c", "d"], charts.Scale(0, 1_000))

    assert [bar.height for bar in drawn] == [charts.SMALLEST_BAR, charts.SMALLEST_BAR, 50, 100]
    assert [bar.is_zero for bar in drawn] == [True, False, False, False]
    assert [bar.x for bar in drawn] == [2.5, 27.5, 52.5, 77.5]
    assert {bar.width for bar in drawn} == {20}


def test_points_are_written_with_heights_that_count_from_above() -> None:
    scale = charts.Scale(0, 10)

    places = charts.points([0, 2.5, 10], [10, 5, 0], scale, scale)

    assert charts.polyline(places) == "0,0 25,50 100,100"
    assert charts.dots(places) == "M0 0h0 M25 50h0 M100 100h0"
