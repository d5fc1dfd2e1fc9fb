"""How a user's predictions of the last days went: what failed, and how long the others took."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _

from mlservice.lib import charts
from mlservice.lib.schema import shown
from predictions.last_days import TIMED_A_DAY, Finished, Took, last_days

# What a chart of seconds reaches at least: all of nothing would have no height.
SOME_SECONDS = 0.001


@dataclass(frozen=True, slots=True)
class Reliability:
    """Ends and times, each day by day; `overall` is None before anything succeeded.

    What was canceled is neither a success nor a failure.
    """

    days: list[date]
    succeeded: Counter[date]
    failed: Counter[date]
    times: list[Took]
    overall: Took | None

    @property
    def failures(self) -> int:
        return self.failed.total()

    @property
    def ended(self) -> int:
        return self.succeeded.total() + self.failures

    @property
    def success_rate(self) -> str:
        """Write the share of successes; what is not whole is never rounded up to it."""
        share = 1_000 * self.succeeded.total() // self.ended / 10
        return number_format(share, decimal_pos=0 if share in (0, 100) else 1)

    @property
    def timed_a_day(self) -> int:
        return TIMED_A_DAY

    @property
    def is_timed_in_part(self) -> bool:
        return any(took.predictions == self.timed_a_day for took in self.times)

    @property
    def failures_chart(self) -> charts.Chart | None:
        """Draw how many of each day's predictions failed; nothing when none did."""
        if not self.failures:
            return None
        shares = [self._failed_share(day) for day in self.days]
        names = [date_format(day, "j E") for day in self.days]
        scale = charts.Scale(0, 100)
        labels = [f"{name}: {shown(share)}%" for name, share in zip(names, shares, strict=True)]
        return charts.Chart(
            name="failed",
            title=_("Failed, by day"),
            about=_("Which part of the predictions that ended on each day failed, in percent."),
            x_title="",
            y_title=_("Failed, %"),
            x_ticks=charts.day_ticks(self.days),
            y_ticks=charts.y_ticks(scale),
            bars=charts.bars(shares, labels, scale),
            head=[_("Day"), _("Failed, %"), _("Failed"), _("Ended")],
            rows=[
                [name, shown(share), shown(self.failed[day]), shown(self._ended_on(day))]
                for name, share, day in zip(names, shares, self.days, strict=True)
            ],
        )

    def _ended_on(self, day: date) -> int:
        return self.succeeded[day] + self.failed[day]

    def _failed_share(self, day: date) -> float:
        return round(100 * self.failed[day] / max(1, self._ended_on(day)), 1)

    @property
    def latency_chart(self) -> charts.Chart:
        """Draw the median of each day that has one, and above it where nineteen in twenty end."""
        place = {day: number + 0.5 for number, day in enumerate(self.days)}
        xs = [place[took.day] for took in self.times if took.day]
        medians, highs = [took.median for took in self.times], [took.p95 for took in self.times]
        across, up = charts.Scale(0, len(self.days)), charts.scale_of(0, SOME_SECONDS, *highs)
        middle = charts.points(xs, medians, across, up)
        upper = charts.points(xs, highs, across, up)
        return charts.Chart(
            name="took",
            title=_("Time from sent to done, by day"),
            about=_(
                "The line is the median of each day; nineteen in twenty predictions took no longer "
                "than the upper edge of the band."
            ),
            x_title="",
            y_title=_("Seconds"),
            x_ticks=charts.day_ticks(self.days),
            y_ticks=charts.y_ticks(up),
            band=charts.polyline([*middle, *reversed(upper)]),
            line=charts.polyline(middle),
            dots=charts.dots(middle),
            head=[_("Day"), _("Median, s"), _("95th percentile, s"), _("Predictions")],
            rows=[time_row(took) for took in self.times],
        )


def time_row(took: Took) -> list[str]:
    day = date_format(took.day, "j E") if took.day else ""
    return [day, shown(took.median), shown(took.p95), shown(took.predictions)]


def reliability_of(ended: Sequence[Finished], timed: Sequence[Took]) -> Reliability:
    """Put together what `last_days` has read."""
    succeeded: Counter[date] = Counter()
    failed: Counter[date] = Counter()
    for row in ended:
        succeeded[row.day] += row.succeeded
        failed[row.day] += row.failed
    return Reliability(
        days=last_days(),
        succeeded=succeeded,
        failed=failed,
        times=[took for took in timed if took.day],
        overall=next((took for took in timed if took.day is None), None),
    )
