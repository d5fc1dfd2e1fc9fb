"""The spend of a month, day by day, and the bars that draw it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from django.db.models import Sum
from django.db.models.functions import TruncDate
from django.utils import timezone

from billing.models import LedgerEntry, Wallet

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
class Spending:
    """A chart of the days up to today, oldest first."""

    bars: list[Bar]

    bar_width = BAR_WIDTH
    height = HEIGHT
    width = DAYS * SLOT_WIDTH

    @property
    def total(self) -> int:
        return sum(bar.amount for bar in self.bars)

    @property
    def highest(self) -> int:
        return max(bar.amount for bar in self.bars)


def daily_spend(*, wallet: Wallet) -> Spending:
    """Add up what predictions cost on each of the last days, in the current time zone."""
    first = timezone.localdate() - timedelta(days=DAYS - 1)
    amounts = captured_since(wallet, first)
    days = [first + timedelta(days=index) for index in range(DAYS)]
    return Spending(list(bars([(day, amounts.get(day, 0)) for day in days])))


def captured_since(wallet: Wallet, first: date) -> dict[date, int]:
    entries = LedgerEntry.objects.filter(wallet=wallet, kind=LedgerEntry.Kind.CAPTURE)
    by_day = entries.annotate(day=TruncDate("created_at")).filter(day__gte=first).values("day")
    return {row["day"]: -row["spent"] for row in by_day.annotate(spent=Sum("amount"))}


def bars(spend: list[tuple[date, int]]) -> Iterator[Bar]:
    """Scale each day to the highest; a day with any spend at all keeps a visible bar."""
    highest = max(amount for _, amount in spend) or 1
    for index, (day, amount) in enumerate(spend):
        height = max(HEIGHT * amount // highest, SMALLEST_BAR)
        yield Bar(day, amount, index * SLOT_WIDTH + (SLOT_WIDTH - BAR_WIDTH) // 2, height)
