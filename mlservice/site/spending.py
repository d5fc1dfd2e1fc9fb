"""The spend of a month, day by day with the chart that shows it, and model by model."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from ml_models.models import MLModel, ModelVersion
from mlservice.lib import charts
from mlservice.lib.schema import shown
from mlservice.site.last_days import DAYS, Finished, last_days


@dataclass(frozen=True, slots=True)
class DaySpend:
    """What the predictions that were done on one day cost together, in credits."""

    day: date
    amount: int


@dataclass(frozen=True, slots=True)
class ModelSpend:
    """What the predictions of one model cost together, in credits, whatever their version."""

    model: MLModel
    predictions: int
    amount: int


@dataclass(frozen=True, slots=True)
class Spending:
    """The days up to today, oldest first, and the same spend by model, the dearest first."""

    days: list[DaySpend]
    models: list[ModelSpend]

    @property
    def total(self) -> int:
        return sum(day.amount for day in self.days)

    @property
    def highest(self) -> int:
        return max(day.amount for day in self.days)

    def days_left(self, available: int) -> int | None:
        """Say for how many days credits last if they are spent as in these; None at no spend."""
        return available * DAYS // self.total if self.total else None

    @property
    def chart(self) -> charts.Chart:
        """Draw the days as bars; only the first and the last are named below them."""
        days = [date_format(day.day, "j E") for day in self.days]
        amounts = [day.amount for day in self.days]
        scale = charts.scale_of(0, *amounts, most=charts.MOST_TICKS - 2)
        labels = [f"{day}: {shown(amount)}" for day, amount in zip(days, amounts, strict=True)]
        return charts.Chart(
            name="spent",
            title=_("Spent in 30 days"),
            about=_("What the predictions of each day cost. Most in a day: %(highest)s")
            % {"highest": shown(self.highest)},
            x_title="",
            y_title=_("Credits"),
            x_ticks=charts.day_ticks([day.day for day in self.days]),
            y_ticks=charts.y_ticks(scale),
            bars=charts.bars(amounts, labels, scale),
            head=[_("Day"), _("Credits")],
            rows=[[day, shown(amount)] for day, amount in zip(days, amounts, strict=True)],
        )


def spend_of(ended: Sequence[Finished]) -> Spending:
    """Add up what was charged, once by day and once by model."""
    by_day: Counter[date] = Counter()
    for row in ended:
        by_day[row.day] += row.spent
    return Spending([DaySpend(day, by_day[day]) for day in last_days()], by_model(ended))


def by_model(ended: Sequence[Finished]) -> list[ModelSpend]:
    """Join the versions of each model that was paid for."""
    charged = [row for row in ended if row.spent]
    versions = ModelVersion.objects.select_related("model").only("model")
    model_of = {
        version.pk: version.model
        for version in versions.filter(pk__in={row.version_id for row in charged})
    }
    spent: Counter[MLModel] = Counter()
    number: Counter[MLModel] = Counter()
    for row in charged:
        model = model_of[row.version_id]
        spent[model] += row.spent
        number[model] += row.succeeded
    return [ModelSpend(model, number[model], amount) for model, amount in spent.most_common()]
