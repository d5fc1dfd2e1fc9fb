"""The only place that says in which currencies prices are written as they are charged."""

from babel.numbers import get_currency_precision
from django.core.exceptions import ImproperlyConfigured

# How Stripe counts: https://docs.stripe.com/currencies, "Zero-decimal currencies" and
# "Three-decimal currencies"; any other has two. UGX stands among the first there, but also, with
# ISK, under "Special cases": both are charged with two decimals that are always 00.
ZERO_DECIMALS = {
    *("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA"),
    *("PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"),
}
THREE_DECIMALS = {"BHD", "JOD", "KWD", "OMR", "TND"}


def check_currency(code: str) -> None:
    """Raise ImproperlyConfigured when a price would be read otherwise than it is charged."""
    charged = 0 if code in ZERO_DECIMALS else 3 if code in THREE_DECIMALS else 2
    written = get_currency_precision(code)
    if charged != written:
        raise ImproperlyConfigured(
            f"CURRENCY={code} is charged by Stripe with {charged} decimals and written with "
            f"{written}. Choose a currency in which both agree, such as USD, EUR or JPY."
        )
