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
from predictions.last_days import Finished, last_days

# So many models are told apart in the chart; the rest are one part.
OWN_PARTS = 3
FEWEST_DAYS = 3


@dataclass(frozen=True, slots=True)
class DaySpend:
    """What the predictions that were done on one day cost, in credits, by the ids of models."""

    day: date
    of_models: Counter[int]

    @property
    def amount(self) -> int:
        return self.of_models.total()


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
        """Say for how many days credits last if they are spent as since the first spend in these.

        None at no spend. One busy day says little: it is taken for the first of a few.
        """
        spent = [place for place, day in enumerate(self.days) if day.amount]
        if not spent:
            return None
        return available * max(len(self.days) - spent[0], FEWEST_DAYS) // self.total

    @property
    def chart(self) -> charts.Chart:
        """Draw the days as bars, each made of its models; the first and the last are named."""
        days = [date_format(day.day, "j E") for day in self.days]
        amounts = [day.amount for day in self.days]
        parts = [self._parts(day) for day in self.days]
        named = self._names() if len(self.models) > 1 else []
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
            bars=list(charts.stacks(parts, labels, scale)),
            legend=named,
            head=[_("Day"), *named, _("Credits")],
            rows=[
                [day, *(map(shown, part) if named else ()), shown(amount)]
                for day, part, amount in zip(days, parts, amounts, strict=True)
            ],
        )

    def _names(self) -> list[str]:
        """Name the models that have a part of their own, and what the rest are together."""
        names = [spent.model.local_title for spent in self.models[:OWN_PARTS]]
        return [*names, _("Others")] if len(self.models) > OWN_PARTS else names

    def _parts(self, day: DaySpend) -> list[int]:
        own = [day.of_models[spent.model.pk] for spent in self.models[:OWN_PARTS]]
        return [*own, day.amount - sum(own)] if len(self.models) > OWN_PARTS else own


def spend_of(ended: Sequence[Finished]) -> Spending:
    """Add up what was charged, once by day and once by model, whatever the version."""
    charged = [row for row in ended if row.spent]
    model_of = models_by_version({row.version_id for row in charged})
    by_day = {day: DaySpend(day, Counter()) for day in last_days()}
    spent: Counter[MLModel] = Counter()
    number: Counter[MLModel] = Counter()
    for row in charged:
        model = model_of[row.version_id]
        by_day[row.day].of_models[model.pk] += row.spent
        spent[model] += row.spent
        number[model] += row.succeeded
    models = [ModelSpend(model, number[model], amount) for model, amount in spent.most_common()]
    return Spending(list(by_day.values()), models)


def models_by_version(version_ids: set[int]) -> dict[int, MLModel]:
    versions = ModelVersion.objects.select_related("model").only("model")
    return {version.pk: version.model for version in versions.filter(pk__in=version_ids)}
