"""The only place that turns numbers into the places of a chart, which a template then draws.

A place is a percent of the width or, counted from below, of the height: a chart fills its box while
its letters keep their size. `templates/partials/chart.html` draws a `Chart`, with its numbers in a
table behind it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from mlservice.lib.scales import nice_edges
from mlservice.lib.schema import shown_number

BAR_SHARE = 0.8
SMALLEST_BAR = 1.0
MOST_TICKS = 5


@dataclass(frozen=True, slots=True)
class Tick:
    """A label, and its place along its axis as SVG counts: from the left, or from above."""

    place: float
    label: str


@dataclass(frozen=True, slots=True)
class Scale:
    """A range of values laid over 0 to 100; one without an extent has its middle alone."""

    low: float
    high: float

    def place(self, value: float) -> float:
        if self.high == self.low:
            return 50.0
        return round(100 * (value - self.low) / (self.high - self.low), 2)

    def from_zero(self, value: float) -> tuple[float, float]:
        """Return where a bar between zero and the value begins, and how long it is."""
        zero, end = self.place(0), self.place(value)
        return min(zero, end), round(abs(end - zero), 2)

    def values(self, most: int = MOST_TICKS) -> list[float]:
        """Return the round values inside the range that are worth a tick."""
        edges = nice_edges(self.low, self.high, most)
        return [edge for edge in edges if self.low <= edge <= self.high]


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle on the drawing; one of nothing is drawn as a faint line.

    `below` is how high it stands on others, `tone` which part of its stack it is, from 1 on.
    """

    x: float
    width: float
    height: float
    label: str
    is_zero: bool
    below: float = 0.0
    tone: int = 1

    @property
    def y(self) -> float:
        return from_above(self.below + self.height)


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A picture with its axes, and the table of the numbers that it was drawn from.

    `band`, `line`, `diagonal` are the points of SVG's polygon and polylines; `dots` is a path.
    """

    name: str
    title: str
    about: str
    x_title: str
    y_title: str
    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    bars: Sequence[Bar] = ()
    legend: Sequence[str] = ()
    band: str = ""
    line: str = ""
    dots: str = ""
    diagonal: str = ""


Words = Callable[[Any], str]


def scale_of(*values: float, most: int = MOST_TICKS) -> Scale:
    """Return a scale of round ends that holds all the values."""
    edges = nice_edges(min(values), max(values), most)
    return Scale(edges[0], edges[-1])


def x_ticks(scale: Scale, words: Words = shown_number) -> list[Tick]:
    return [Tick(scale.place(value), words(value)) for value in scale.values()]


def y_ticks(scale: Scale, words: Words = shown_number) -> list[Tick]:
    return [Tick(from_above(scale.place(value)), words(value)) for value in scale.values()]


def day_ticks(days: Sequence[date]) -> list[Tick]:
    """Name the first and the last of the days, each below the middle of its bar."""
    half = 50 / len(days)
    return [
        Tick(round(half, 2), date_format(days[0], "j E")),
        Tick(round(100 - half, 2), _("today")),
    ]


def from_above(place: float) -> float:
    return round(100 - place, 2)


def bars(amounts: Sequence[float], labels: Sequence[str], scale: Scale) -> list[Bar]:
    """Stand a bar for each amount side by side; what is more than nothing stays visible."""
    slot = 100 / len(amounts)
    return [
        Bar(
            x=round((index + (1 - BAR_SHARE) / 2) * slot, 2),
            width=round(slot * BAR_SHARE, 2),
            height=max(scale.place(amount), SMALLEST_BAR),
            label=label,
            is_zero=not amount,
        )
        for index, (amount, label) in enumerate(zip(amounts, labels, strict=True))
    ]


def stacks(parts: Sequence[Sequence[float]], labels: Sequence[str], scale: Scale) -> Iterator[Bar]:
    """Stand the parts of each amount on one another; a stack of nothing is one bar of nothing."""
    whole = bars([sum(amounts) for amounts in parts], labels, scale)
    for bar, amounts in zip(whole, parts, strict=True):
        if bar.is_zero:
            yield bar
        below = 0.0
        for tone, amount in enumerate(amounts, start=1):
            if amount:
                height = round(bar.height * amount / sum(amounts), 2)
                yield replace(bar, below=below, height=height, tone=tone)
                below += height


def points(xs: Sequence[float], ys: Sequence[float], x: Scale, y: Scale) -> list[tuple[str, str]]:
    """Return the places of points as SVG writes them, whose heights count from above."""
    return [
        (f"{x.place(one):g}", f"{from_above(y.place(other)):g}")
        for one, other in zip(xs, ys, strict=True)
    ]


def polyline(places: Sequence[tuple[str, str]]) -> str:
    return " ".join(",".join(place) for place in places)


def dots(places: Sequence[tuple[str, str]]) -> str:
    """Return a path of strokes without length: with round ends they stay round when stretched."""
    return " ".join(f"M{x} {y}h0" for x, y in places)
