"""The page of one model: what it takes, how good it is, what it costs, and a form to try it."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from ml_models import drawing, history
from ml_models.models import ModelVersion
from ml_models.selectors import card_of, find_version
from mlservice.lib import schema as schemas
from mlservice.lib.schema_form import choices_for
from mlservice.site import model_card
from predictions.forms import OneRowForm
from predictions.playground import playground_context

METRICS = {
    "mae": _("Mean absolute error"),
    "rmse": _("Root mean square error"),
    "r2": _("R², share of variance explained"),
    "accuracy": _("Share of labels that are right"),
    "log_loss": _("Log loss of the probabilities"),
    "training_rows": _("Rows learnt from"),
    "test_rows": _("Rows tested on"),
}
KINDS = {
    "number": _("number"),
    "integer": _("whole number"),
    "boolean": _("yes or no"),
    "string": _("text"),
}
IN_PREDICTED_UNIT = {"mae", "rmse"}


@require_safe
def model(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the version of a model that serves who names none; open to everybody."""
    version = find_version(slug=slug, user_id=request.user.pk)
    card = card_of(version)
    context = {
        "version": version,
        "columns": [column(*pair) for pair in version.input_schema["properties"].items()],
        "use": model_card.use(card),
        "metrics": metrics(version),
        "plots": drawing.drawn(card.plots, version),
        "data": model_card.data(card),
        "gives": gives(version.output_schema),
        "form": OneRowForm(schema=version.input_schema, example=version.example),
        **playground_context(request, version),
        "changelog": changelog(version),
        "price_history": history.price_history(model_id=version.model_id),
    }
    return render(request, "site/model.html", context)


def column(name: str, definition: Mapping[str, Any]) -> dict[str, Any]:
    """Say what a column is, which values it takes and which the model has seen."""
    choices = [title for value, title in choices_for(definition) if value]
    return {
        "name": name,
        "title": schemas.title_of(name, definition),
        "description": schemas.words(definition, "description"),
        "kind": KINDS[schemas.kind_of(definition)],
        "unit": definition.get("x-unit", ""),
        "takes": ", ".join(choices) or schemas.limits_of(definition),
        "learnt": schemas.training_range_of(definition),
        "is_optional": schemas.is_nullable(definition),
    }


def gives(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Say what is predicted: a value with its unit, or one of some labels."""
    return {
        "title": schemas.words(definition, "title") or _("Prediction"),
        "kind": KINDS[schemas.kind_of(definition)],
        "unit": definition.get("x-unit", ""),
        "labels": ", ".join(schemas.shown(label) for label in definition.get("enum", [])),
        "has_probabilities": "x-probabilities" in definition,
    }


def metrics(version: ModelVersion) -> list[dict[str, Any]]:
    """Name the measured figures, those of errors in the unit of what is predicted."""
    unit = version.output_schema.get("x-unit", "")
    return [
        {
            "title": METRICS.get(name, name),
            "value": schemas.shown(value),
            "unit": unit if name in IN_PREDICTED_UNIT else "",
        }
        for name, value in version.metrics.items()
    ]


def changelog(version: ModelVersion) -> list[dict[str, Any]]:
    """Tell the model's versions, newest first, with what their metrics gained and lost."""
    return [
        {
            "entry": entry,
            "gains": [
                {"title": METRICS.get(name, name), "value": signed(gain)}
                for name, gain in entry.metrics_change.items()
            ],
        }
        for entry in history.changelog(model_id=version.model_id)
    ]


def signed(gain: float) -> str:
    return f"{'+' if gain > 0 else '−'}{schemas.shown(abs(gain))}"
