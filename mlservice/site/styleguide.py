"""The page that shows every component in every state; only whoever develops the service sees it."""

from collections import Counter
from datetime import timedelta

from django import forms
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from ml_models.models import MLModel
from mlservice.lib.pagination import Page
from mlservice.site.spending import DaySpend, ModelSpend, Spending
from predictions.last_days import DAYS
from predictions.models import Prediction

COLOURS = (
    *("ground", "surface", "sunken", "line", "line-strong", "ink", "ink-soft"),
    *("accent", "accent-strong", "accent-wash", "good", "good-wash"),
    *("warn", "warn-wash", "bad", "bad-wash"),
)
TEXTS = range(1, 10)
LEVELS = ("info", "success", "warning", "error")
BUTTONS = ("", "button--quiet", "button--danger", "button--small", "button--quiet button--small")
OTHER_BADGES = ("pending", "paid", "invalid", "plain")


class SampleForm(forms.Form):
    name = forms.CharField(label="Text", help_text="What the field is for.")
    amount = forms.IntegerField(label="Number", min_value=1)
    choice = forms.ChoiceField(label="Choice", choices=[("a", "One"), ("b", "Another")])
    day = forms.DateField(label="Day", widget=forms.DateInput({"type": "date"}), required=False)


@require_safe
def styleguide(request: HttpRequest) -> HttpResponse:
    """Show the components; where people are served there is no such page."""
    if not settings.DEBUG:
        raise Http404
    context = {
        "colours": COLOURS,
        "texts": TEXTS,
        "levels": LEVELS,
        "buttons": BUTTONS,
        "statuses": Prediction.Status.choices,
        "other_badges": OTHER_BADGES,
        "form": SampleForm(initial={"name": "Ada"}),
        "wrong_form": SampleForm({"amount": "0", "choice": "c"}, auto_id="wrong_%s"),
        "page": Page([Prediction(), Prediction()], has_newer=True, has_older=True),
        "amounts": [1, 2, 1_250],
        "chart": sample_spending().chart,
    }
    return render(request, "site/styleguide.html", context)


def sample_spending() -> Spending:
    today = timezone.localdate()
    models = [MLModel(pk=1, title="One"), MLModel(pk=2, title="Another")]
    days = [
        DaySpend(today - timedelta(days=DAYS - 1 - n), Counter({1: n * 7 % 40, 2: n % 9}))
        for n in range(DAYS)
    ]
    return Spending(days, [ModelSpend(model, predictions=1, amount=1) for model in models])
