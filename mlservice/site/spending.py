"""The spend of a month, day by day with the chart that shows it, and model by model."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import Count, Sum
from django.db.models.functions import TruncDate
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from ml_models.models import MLModel, ModelVersion
from mlservice.lib import charts
from mlservice.lib.schema import shown
from predictions.models import Prediction

DAYS = 30
# Where the first and the last bar stand, in percent of the width.
FIRST_BAR, LAST_BAR = round(50 / DAYS, 2), round(100 - 50 / DAYS, 2)


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
            x_ticks=[charts.Tick(FIRST_BAR, days[0]), charts.Tick(LAST_BAR, _("today"))],
            y_ticks=charts.y_ticks(scale),
            bars=charts.bars(amounts, labels, scale),
            head=[_("Day"), _("Credits")],
            rows=[[day, shown(amount)] for day, amount in zip(days, amounts, strict=True)],
        )


def recent_spend(*, user_id: int | None) -> Spending:
    """Add up what a user's predictions cost in the last days of the current time zone."""
    first = timezone.localdate() - timedelta(days=DAYS - 1)
    rows = charged_since(user_id, first)
    by_day: Counter[date] = Counter()
    for row in rows:
        by_day[row["day"]] += row["spent"]
    days = [first + timedelta(days=index) for index in range(DAYS)]
    return Spending([DaySpend(day, by_day[day]) for day in days], by_model(rows))


def charged_since(user_id: int | None, first: date) -> list[dict[str, Any]]:
    """Add up by day and version what was charged; both views of it come from these rows."""
    midnight = timezone.make_aware(datetime.combine(first, time.min))
    charged = Prediction.objects.for_user(user_id).filter(
        status=Prediction.Status.SUCCEEDED, completed_at__gte=midnight
    )
    by_day = charged.values("version_id", day=TruncDate("completed_at"))
    rows = by_day.annotate(spent=Sum("cost"), number=Count("*")).order_by()
    return [dict(row) for row in rows]


def by_model(rows: list[dict[str, Any]]) -> list[ModelSpend]:
    """Join the versions of each model."""
    versions = ModelVersion.objects.select_related("model").only("model")
    model_of = {
        version.pk: version.model
        for version in versions.filter(pk__in={row["version_id"] for row in rows})
    }
    spent: Counter[MLModel] = Counter()
    number: Counter[MLModel] = Counter()
    for row in rows:
        model = model_of[row["version_id"]]
        spent[model] += row["spent"]
        number[model] += row["number"]
    return [ModelSpend(model, number[model], amount) for model, amount in spent.most_common()]
