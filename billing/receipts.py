"""The only place that says what a payment was: a price in its currency, a receipt for what is paid.

The word `cents` stands for the currency's smallest unit: a yen is one, a dinar has a thousand.
"""

from dataclasses import dataclass
from decimal import Decimal

from babel.numbers import format_currency, get_currency_precision
from django.utils.translation import get_language

from billing.models import LedgerEntry, TopUp
from billing.selectors import reversed_cents


@dataclass(frozen=True, slots=True)
class Receipt:
    """A paid top-up; its number is that of the ledger entry that credited it, so none repeats."""

    number: int
    top_up: TopUp

    reversed_cents: int

    @property
    def reversed_price(self) -> str:
        """The part of the price that went back to the payer."""
        return price(self.reversed_cents, self.top_up.currency)


def receipt_of(top_up: TopUp) -> Receipt | None:
    """Give the receipt of a top-up, or None for one that is not paid."""
    if top_up.status != TopUp.Status.PAID:
        return None
    entry = LedgerEntry.objects.get(
        kind=LedgerEntry.Kind.TOP_UP, reference_type="top_up", reference_id=str(top_up.pk)
    )
    return Receipt(entry.pk, top_up, reversed_cents(top_up))


def price(cents: int, currency: str) -> str:
    """Write a price as the reader's language does, with as many decimals as the currency has."""
    units = Decimal(cents).scaleb(-get_currency_precision(currency))
    return str(format_currency(units, currency, locale=get_language() or "en"))
