"""The page that asks again: the form, filled with the rows of an earlier prediction."""

from typing import Any
from uuid import UUID

import msgspec
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from ml_models.models import ModelVersion
from ml_models.selectors import find_version
from predictions.csv import rows_text
from predictions.forms import OneRowForm, TableForm
from predictions.models import Prediction
from predictions.playground import playground_context
from predictions.views import own_prediction


@login_required
@require_safe
def prediction_again(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Offer the same rows to the version that serves now; its price shows before they are sent."""
    earlier = own_prediction(request, pk)
    if earlier.data_removed:
        raise Http404
    version = find_version(slug=earlier.version.model.slug, user_id=request.user.pk)
    form = filled_form(version, earlier)
    context = {
        **playground_context(request, version),
        "form": form,
        "as": "table" if isinstance(form, TableForm) else "",
        "is_explained": earlier.explain,
        "is_again": True,
    }
    return render(request, "predictions/new.html", context)


def filled_form(version: ModelVersion, earlier: Prediction) -> OneRowForm | TableForm:
    """Fill in what was sent, one row or a table; a column that the model lost is left out."""
    sent = earlier.input_value
    rows = [named(row) for row in (sent if isinstance(sent, list) else [sent])]
    if len(rows) == 1:
        return OneRowForm(schema=version.input_schema, example=rows[0])
    table = rows_text(list(version.input_schema["properties"]), rows)
    return TableForm(version=version, initial={"text": table})


def named(row: Any) -> dict[str, Any]:
    """Return a row's cells as a form can hold them; what is no row at all has none."""
    if not isinstance(row, dict):
        return {}
    return {name: cell(value) for name, value in row.items()}


def cell(value: Any) -> Any:
    return msgspec.json.encode(value).decode() if isinstance(value, dict | list) else value
