"""The pages of predictions: history, a new one, one as it runs, its results as CSV."""

from contextlib import suppress
from itertools import islice
from typing import Any
from uuid import UUID

import structlog
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import HTMX_STOP_POLLING

from ml_models.models import ModelVersion
from ml_models.selectors import find_version, listed_versions
from mlservice.lib.errors import DomainError
from mlservice.lib.idempotency import form_key
from mlservice.lib.pagination import page_of
from predictions import selectors, tables, wording
from predictions.errors import AlreadyFinished
from predictions.forms import OneRowForm, TableForm, VersionForm
from predictions.history import HistoryForm
from predictions.history_csv import MOST_IN_A_FILE, history_csv
from predictions.models import Prediction
from predictions.quotes import quote_rows
from predictions.services import as_rows, cancel_prediction, prepare_submission
from predictions.waiting import submit_and_wait

PAGE_SIZE = 25
SHOWN_ROWS = 100
# Most predictions take less, so that the page which follows shows the result at once.
WAIT_SECONDS = 2.0


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
def predictions_csv(request: HttpRequest) -> StreamingHttpResponse:
    """Hand out the history, narrowed as asked, as CSV."""
    mine = Prediction.objects.for_user(request.user.pk)
    return StreamingHttpResponse(
        history_csv(HistoryForm(request.GET).narrow(mine)),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="predictions.csv"'},
    )


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def prediction_new(request: HttpRequest) -> HttpResponse:
    """Take one row from a form, or many from a table; without a model, offer all."""
    asked = request.POST if request.method == "POST" else request.GET
    if "model" not in asked:
        offered = listed_versions(user_id=request.user.pk)
        return render(request, "predictions/choose.html", {"versions": offered})
    version = asked_version(asked, request.user.pk)
    form = rows_form(request, version, is_table=asked.get("as") == "table")
    refusal = None
    if form.is_bound and form.is_valid():
        try:
            return redirect(submit(request, version, form))
        except DomainError as error:
            form.refuse(error)
            refusal = error
    context = {
        "version": version,
        "form": form,
        "refusal": refusal,
        "as": asked.get("as"),
        "is_explained": is_explained(request),
        "example_table": tables.example_table(version),
    }
    return render(request, "predictions/new.html", context, status=422 if form.errors else 200)


@login_required
@require_POST
def prediction_quote(request: HttpRequest) -> HttpResponse:
    """Say beside the form what its rows would cost; what is wrong with them is said on sending."""
    version = asked_version(request.POST, request.user.pk)
    form = rows_form(request, version, is_table=request.POST.get("as") == "table")
    quoted = None
    if form.is_valid():
        with suppress(DomainError):
            rows = as_rows(form.input())
            quoted = quote_rows(
                user_id=request.user.pk, version=version, rows=rows, explain=is_explained(request)
            )
    return render(request, "predictions/_quote.html", {"quote": quoted})


def is_explained(request: HttpRequest) -> bool:
    return "explain" in request.POST


def asked_version(asked: QueryDict, user_id: int | None) -> ModelVersion:
    form = VersionForm(asked)
    if not form.is_valid():
        raise Http404
    slug, number = form.cleaned_data["model"], form.cleaned_data["version"]
    return find_version(slug=slug, number=number, user_id=user_id)


def rows_form(
    request: HttpRequest, version: ModelVersion, *, is_table: bool
) -> OneRowForm | TableForm:
    sent: Any = (request.POST, request.FILES) if request.method == "POST" else ()
    if is_table:
        return TableForm(*sent, version=version)
    return OneRowForm(*sent, schema=version.input_schema, example=version.example)


def submit(request: HttpRequest, version: ModelVersion, form: OneRowForm | TableForm) -> Prediction:
    submission = prepare_submission(
        model=version.model.slug,
        version=version.number,
        input=form.input(),
        explain=is_explained(request),
    )
    return submit_and_wait(
        seconds=WAIT_SECONDS,
        user_id=request.user.pk,
        submission=submission,
        source=Prediction.Source.WEB,
        request_id=structlog.contextvars.get_contextvars().get("request_id", ""),
        key=form_key(
            request.POST.get("nonce", ""),
            [version.model.slug, version.number, submission.input, submission.explain],
        ),
    )


def own_prediction(request: HttpRequest, pk: UUID) -> Prediction:
    mine = Prediction.objects.for_user(request.user.pk).with_version()
    return get_object_or_404(mine, pk=pk)


@login_required
@require_safe
@vary_on_headers("HX-Request")
def prediction(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show a prediction; while it runs, htmx asks again and is told only of a change."""
    shown = own_prediction(request, pk)
    if not request.headers.get("HX-Request"):
        return render(request, "predictions/detail.html", details(shown))
    if request.GET.get("seen") == shown.status:
        return HttpResponse(status=204)
    status = HTMX_STOP_POLLING if shown.is_finished else 200
    return render(request, "predictions/_prediction.html", details(shown), status=status)


def details(shown: Prediction) -> dict[str, Any]:
    return {
        "prediction": shown,
        "columns": tables.column_titles(shown),
        "predicted": tables.prediction_title(shown),
        "rows": list(islice(tables.result_rows(shown), SHOWN_ROWS)),
        "metrics": selectors.metrics(shown),
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
    """Hand out all rows of a finished prediction with their results as CSV."""
    finished = own_prediction(request, pk)
    if finished.output is None:
        raise Http404
    table = tables.results_csv(finished)
    name = f"{finished.version.model.slug}-{finished.pk}.csv"
    return HttpResponse(
        table,
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
