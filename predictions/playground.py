"""The pages on which a prediction is made: its rows, what is said of them, and what came out."""

from contextlib import suppress
from typing import Any

import structlog
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers

from ml_models.models import ModelVersion
from ml_models.selectors import find_version, listed_versions
from mlservice.lib.errors import DomainError
from mlservice.lib.idempotency import form_key
from mlservice.lib.ids import new_id
from predictions import live, tables
from predictions.forms import OneRowForm, TableForm, VersionForm
from predictions.grid import GridForm, pasted, with_more_rows
from predictions.models import Prediction
from predictions.quotes import quote_rows
from predictions.snippets import snippets
from predictions.submitting import as_rows, prepare_submission
from predictions.views import details
from predictions.waiting import submit_and_wait

# Most predictions take less, so that the answer has the result already.
WAIT_SECONDS = 2.0
# A call that is longer than this is no example.
SNIPPET_ROWS = 3


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def prediction_new(request: HttpRequest) -> HttpResponse:
    """Take one row, several, or a table; without a model, offer all.

    htmx is given the result beside the form, everybody else is sent on to its page.
    """
    asked = request.POST if request.method == "POST" else request.GET
    if "model" not in asked:
        offered = listed_versions(user_id=request.user.pk)
        return render(request, "predictions/choose.html", {"versions": offered})
    version = asked_version(asked, request.user.pk)
    if {"more", "paste"} & set(asked):
        return laid_out(request, version, reshaped(asked, version))
    form = rows_form(request, version)
    refusal = None
    if form.is_bound and form.is_valid():
        try:
            return answered(request, submit(request, version, form))
        except DomainError as error:
            form.refuse(error)
            refusal = error
    return playground(request, version, form, refusal)


def answered(request: HttpRequest, prediction: Prediction) -> HttpResponse:
    if not request.headers.get("HX-Request"):
        return redirect(prediction)
    # What is sent next from the same page is something new, not the same once more.
    context = details(prediction) | {"form_nonce": new_id(), "form_nonce_is_new": True}
    return render(request, "predictions/_result.html", context)


def playground(
    request: HttpRequest, version: ModelVersion, form: live.RowsForm, refusal: DomainError | None
) -> HttpResponse:
    """Show the form, with what was refused; htmx puts it in the place of the one that it sent."""
    context = {"refusal": refusal, "form": form, **playground_context(request, version)}
    if not request.headers.get("HX-Request"):
        status = 422 if form.errors else 200
        return render(request, "predictions/new.html", context, status=status)
    # htmx swaps nothing in that was an error.
    page = render(request, "predictions/_playground.html", context)
    page["HX-Retarget"] = "#playground"
    page["HX-Reswap"] = "outerHTML"
    return page


def playground_context(request: HttpRequest, version: ModelVersion) -> dict[str, Any]:
    """Return what the playground shows besides its form, on whichever page it stands."""
    asked = request.POST if request.method == "POST" else request.GET
    return {
        "version": version,
        "as": asked.get("as", ""),
        "is_explained": is_explained(request),
        "example_table": tables.example_table(version),
        "snippets": calls(request, version, [version.example]),
    }


def laid_out(request: HttpRequest, version: ModelVersion, sent: Any) -> HttpResponse:
    """Show the table of inputs with more lines, or with what was pasted into it."""
    form = GridForm(sent, version=version)
    context = {"form": form, **playground_context(request, version)}
    is_part = request.headers.get("HX-Request")
    return render(request, "predictions/_grid.html" if is_part else "predictions/new.html", context)


def reshaped(sent: QueryDict, version: ModelVersion) -> Any:
    return pasted(sent, version) if "paste" in sent else with_more_rows(sent)


@login_required
@require_POST
def prediction_quote(request: HttpRequest) -> HttpResponse:
    """Say beside the form what its rows would cost, and beside each input what is wrong."""
    version = asked_version(request.POST, request.user.pk)
    form = rows_form(request, version)
    context: dict[str, Any] = {"form": form, "as": request.POST.get("as", "")}
    rows = typed_rows(form)
    if rows:
        context["quote"] = quoted(request, version, rows)
        context["snippets"] = calls(request, version, rows)
    if not isinstance(form, TableForm):
        context["beside"] = live.beside_inputs(form, version)
    elif rows:
        context["preview"] = live.preview_of(form, version)
    return render(request, "predictions/_quote.html", context)


def typed_rows(form: live.RowsForm) -> list[Any]:
    """Return the rows as they stand, what is wrong in them included; none of a broken table."""
    if isinstance(form, TableForm):
        return as_rows(form.input()) if form.is_valid() else []
    return [line.row() for line in form.row_forms()]


def quoted(request: HttpRequest, version: ModelVersion, rows: list[Any]) -> Any:
    with suppress(DomainError):
        return quote_rows(
            user_id=request.user.pk, version=version, rows=rows, explain=is_explained(request)
        )


def calls(request: HttpRequest, version: ModelVersion, rows: list[Any]) -> dict[str, str]:
    """Write the same down as calls of the API; of many rows the first few."""
    few = rows[:SNIPPET_ROWS]
    body: dict[str, Any] = {"model": version.model.slug, "input": few if len(few) > 1 else few[0]}
    if is_explained(request):
        body["explain"] = True
    url = request.build_absolute_uri(reverse("api_predictions"))
    return snippets(url=url, body=body)


def is_explained(request: HttpRequest) -> bool:
    return "explain" in request.POST


def asked_version(asked: QueryDict, user_id: int | None) -> ModelVersion:
    form = VersionForm(asked)
    if not form.is_valid():
        raise Http404
    slug, number = form.cleaned_data["model"], form.cleaned_data["version"]
    return find_version(slug=slug, number=number, user_id=user_id)


def rows_form(request: HttpRequest, version: ModelVersion) -> live.RowsForm:
    asked = request.POST if request.method == "POST" else request.GET
    sent: Any = (request.POST, request.FILES) if request.method == "POST" else ()
    match asked.get("as"):
        case "table":
            return TableForm(*sent, version=version)
        case "rows":
            return GridForm(*sent, version=version)
    return OneRowForm(*sent, schema=version.input_schema, example=version.example)


def submit(request: HttpRequest, version: ModelVersion, form: live.RowsForm) -> Prediction:
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
