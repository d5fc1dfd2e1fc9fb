"""The pages of predictions: history, a new one, one as it runs, its results as CSV."""

from itertools import islice
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import HTMX_STOP_POLLING, reswap

from mlservice.lib.pagination import page_of
from predictions import selectors, tables, turns, wording
from predictions.errors import AlreadyFinished
from predictions.history import HistoryForm
from predictions.history_csv import MOST_IN_A_FILE, history_csv
from predictions.models import Prediction
from predictions.services import cancel_prediction

PAGE_SIZE = 25
SHOWN_ROWS = 100


@login_required
@require_safe
def predictions(request: HttpRequest) -> HttpResponse:
    """Show the history, newest first, narrowed as asked."""
    form = HistoryForm(request.GET)
    mine = Prediction.objects.for_user(request.user.pk).without_rows().newest_first()
    page = page_of(form.narrow(mine), request.GET, PAGE_SIZE)
    context = {"form": form, "page": page, "most_in_a_file": MOST_IN_A_FILE}
    return render(request, "predictions/list.html", context)


@login_required
@require_safe
def predictions_csv(request: HttpRequest) -> HttpResponseBase:
    """Hand out the history, narrowed as asked, as CSV; lead back to where a wrong filter shows."""
    form = HistoryForm(request.GET)
    if not form.is_valid():
        return redirect(reverse("predictions", query=request.GET))
    mine = Prediction.objects.for_user(request.user.pk)
    return StreamingHttpResponse(
        history_csv(form.narrow(mine)),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="predictions.csv"'},
    )


def own_prediction(request: HttpRequest, pk: UUID) -> Prediction:
    mine = Prediction.objects.for_user(request.user.pk).with_version()
    return get_object_or_404(mine, pk=pk)


@login_required
@require_safe
@never_cache
@vary_on_headers("HX-Request")
def prediction(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show a prediction; while it runs, htmx asks again and is told how far it has come.

    The page changes with the status alone. Going back asks anew, so that no old state is shown.
    """
    is_asked_again = "HX-Request" in request.headers
    if is_asked_again and (same := unchanged(request, pk)):
        context = {"prediction": same, **progress(same), "is_out_of_band": True}
        return reswap(render(request, "predictions/_progress.html", context), "none")
    shown = own_prediction(request, pk)
    if not is_asked_again:
        return render(request, "predictions/detail.html", details(shown))
    status = HTMX_STOP_POLLING if shown.is_finished else 200
    part = "_result" if request.GET.get("as") == "result" else "_prediction"
    return render(request, f"predictions/{part}.html", details(shown), status=status)


def unchanged(request: HttpRequest, pk: UUID) -> Prediction | None:
    """Return the prediction if it still has the status that was seen.

    Its rows, which may be large, are left where they are: many ask, each second.
    """
    if not (seen := request.GET.get("seen")):
        return None
    mine = Prediction.objects.for_user(request.user.pk).without_rows()
    return mine.filter(pk=pk, status=seen).first()


def progress(shown: Prediction) -> dict[str, Any]:
    """Say how far it has come, and how long that took up to now or to the end."""
    passed = (shown.completed_at or timezone.now()) - shown.created_at
    return {
        "status": shown.status,
        "is_canceling": shown.cancel_requested_at is not None,
        "ahead": turns.ahead_of(shown),
        "elapsed": wording.duration(passed.total_seconds()),
    }


def details(shown: Prediction) -> dict[str, Any]:
    return {
        **progress(shown),
        "prediction": shown,
        "columns": tables.column_titles(shown),
        "predicted": tables.prediction_title(shown),
        "rows": list(islice(tables.result_rows(shown), SHOWN_ROWS)),
        "metrics": selectors.metrics(shown),
        "invalid_rows": shown.rows_total - shown.rows_valid if shown.output else 0,
        "failure": wording.failure(code=shown.error_code, message=shown.error),
    }


@login_required
@require_POST
def prediction_cancel(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Cancel a prediction and show what has become of it."""
    canceled = own_prediction(request, pk)
    try:
        cancel_prediction(prediction=canceled)
    except AlreadyFinished:
        messages.info(request, _("This prediction had finished before it could be canceled."))
    return redirect(canceled)


@login_required
@require_safe
def prediction_results(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Hand out all rows of a finished prediction with their results as CSV, or the invalid ones."""
    finished = own_prediction(request, pk)
    if finished.output is None:
        raise Http404
    part = "invalid" if request.GET.get("rows") == "invalid" else ""
    table = tables.results_csv(finished, only=part)
    name = "-".join(filter(None, [finished.version.model.slug, str(finished.pk), part])) + ".csv"
    return HttpResponse(
        table,
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
