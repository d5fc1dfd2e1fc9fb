"""The spend of a month, day by day with the bars that draw it, and model by model."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import Count, Sum
from django.db.models.functions import TruncDate
from django.utils import timezone

from ml_models.models import MLModel, ModelVersion
from predictions.models import Prediction

DAYS = 30
SLOT_WIDTH, BAR_WIDTH, HEIGHT = 20, 14, 120
SMALLEST_BAR = 2


@dataclass(frozen=True, slots=True)
class Bar:
    """One day's spend, in credits, and its rectangle in the drawing's units."""

    day: date
    amount: int
    x: int
    height: int

    @property
    def y(self) -> int:
        return HEIGHT - self.height


@dataclass(frozen=True, slots=True)
class ModelSpend:
    """What the predictions of one model cost together, in credits, whatever their version."""

    model: MLModel
    predictions: int
    amount: int


@dataclass(frozen=True, slots=True)
class Spending:
    """The days up to today, oldest first, and the same spend by model, the dearest first."""

    bars: list[Bar]
    models: list[ModelSpend]

    bar_width = BAR_WIDTH
    height = HEIGHT
    width = DAYS * SLOT_WIDTH

    @property
    def total(self) -> int:
        return sum(bar.amount for bar in self.bars)

    @property
    def highest(self) -> int:
        return max(bar.amount for bar in self.bars)


def recent_spend(*, user_id: int | None) -> Spending:
    """Add up what a user's predictions cost in the last days of the current time zone."""
    first = timezone.localdate() - timedelta(days=DAYS - 1)
    rows = charged_since(user_id, first)
    by_day: Counter[date] = Counter()
    for row in rows:
        by_day[row["day"]] += row["spent"]
    days = [first + timedelta(days=index) for index in range(DAYS)]
    return Spending(list(bars([(day, by_day[day]) for day in days])), by_model(rows))


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


def bars(spend: list[tuple[date, int]]) -> Iterator[Bar]:
    """Scale each day to the highest; a day with any spend at all keeps a visible bar."""
    highest = max(amount for _, amount in spend) or 1
    for index, (day, amount) in enumerate(spend):
        height = max(HEIGHT * amount // highest, SMALLEST_BAR)
        yield Bar(day, amount, index * SLOT_WIDTH + (SLOT_WIDTH - BAR_WIDTH) // 2, height)
