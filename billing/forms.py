"""What a client types to buy credits."""

from typing import Any

from django import forms
from django.conf import settings
from django.utils.formats import number_format
from django.utils.functional import lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from billing.models import MAX_AMOUNT
from billing.providers import enabled

SUGGESTED_CREDITS = 1_000
LOW, HIGH = settings.TOP_UP_MIN_CREDITS, min(settings.TOP_UP_MAX_CREDITS, MAX_AMOUNT)


def providers() -> list[tuple[str, Any]]:
    return [(name, provider.title) for name, provider in enabled().items()]


def limits() -> str:
    """Say the limits with the digits grouped as the reader's language does it."""
    low, high = number_format(LOW, force_grouping=True), number_format(HIGH, force_grouping=True)
    return gettext("From %(low)s to %(high)s in one top-up.") % {"low": low, "high": high}


class CapForm(forms.Form):
    """What a client allows the wallet to spend in a month; empty means no limit."""

    title = _("Spending cap")
    explanation = _("What is charged in a month and what is held for work under way never pass it.")
    spending_cap = forms.IntegerField(
        label=_("Spend at most, credits a month"),
        min_value=0,
        max_value=MAX_AMOUNT,
        required=False,
        help_text=_("Months are counted in UTC. 0: nothing can be spent. Empty: no limit."),
    )


class ThresholdForm(forms.Form):
    """The balance below which a client wants to be warned; empty means never."""

    title = _("Low balance")
    explanation = _(
        "When the balance falls below this, you get one e-mail and a notice here; "
        "the next one comes only after it has recovered."
    )
    low_balance_threshold = forms.IntegerField(
        label=_("Warn below, credits"),
        min_value=1,
        max_value=MAX_AMOUNT,
        required=False,
        help_text=_("Empty: no warning."),
    )


class TopUpForm(forms.Form):
    amount = forms.IntegerField(
        label=_("Credits"),
        min_value=LOW,
        max_value=HIGH,
        initial=min(max(LOW, SUGGESTED_CREDITS), HIGH),
        help_text=lazy(limits, str)(),
    )
    provider = forms.ChoiceField(label=_("Payment"), choices=providers)
