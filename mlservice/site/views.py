"""The landing page and the dashboard: pages that join what several apps know."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from billing.services import wallet_of
from ml_models.selectors import listed_versions
from mlservice.site.reliability import reliability_of
from mlservice.site.spending import spend_of
from predictions.last_days import finished, took
from predictions.models import Prediction

LATEST = 5


def landing(request: HttpRequest) -> HttpResponse:
    return render(
        request, "site/landing.html", {"versions": listed_versions(user_id=request.user.pk)}
    )


@login_required
def dashboard(request: HttpRequest) -> HttpResponse:
    wallet = wallet_of(request.user.pk)
    ended = finished(user_id=request.user.pk)
    spending = spend_of(ended)
    context = {
        "wallet": wallet,
        "spending": spending,
        "days_left": spending.days_left(wallet.available),
        "reliability": reliability_of(ended, took(user_id=request.user.pk)),
        "predictions": Prediction.objects.for_user(request.user.pk)
        .without_rows()
        .newest_first()[:LATEST],
        "versions": listed_versions(user_id=request.user.pk),
    }
    return render(request, "site/dashboard.html", context)
