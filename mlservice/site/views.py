"""The landing page and the dashboard: pages that join what several apps know."""

from typing import cast

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from accounts.models import User
from billing.services import wallet_of
from ml_models.selectors import listed_models
from mlservice.site.spending import daily_spend
from predictions.models import Prediction

LATEST = 5


def landing(request: HttpRequest) -> HttpResponse:
    return render(request, "site/landing.html", {"models": listed_models()})


@login_required
def dashboard(request: HttpRequest) -> HttpResponse:
    user = cast("User", request.user)
    wallet = wallet_of(user.pk)
    with timezone.override(user.time_zone):
        spending = daily_spend(wallet=wallet)
    context = {
        "wallet": wallet,
        "spending": spending,
        "predictions": Prediction.objects.for_user(user.pk).without_rows().newest_first()[:LATEST],
        "models": listed_models(),
    }
    return render(request, "site/dashboard.html", context)
