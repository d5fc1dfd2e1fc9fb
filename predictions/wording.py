"""The only place that says in the reader's language why a row is refused or doubted."""

import re
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mlservice.lib import schema as schemas
from mlservice.lib.errors import DomainError

DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+,\d+\s*", re.ASCII)

KINDS = {
    "number": gettext_lazy("must be a number"),
    "integer": gettext_lazy("must be a whole number"),
    "boolean": gettext_lazy("must be true or false"),
    "string": gettext_lazy("must be a text"),
}


def sentence(error: Mapping[str, Any], properties: Mapping[str, Any]) -> str:
    """Say what is wrong with a row, beginning with the column if one is meant."""
    field = error.get("field")
    if field is None:
        return whole_row(error)
    title = schemas.title_of(field, properties.get(field, {}))
    return f"{title}: {complaint(error, properties.get(field, {}))}"


def whole_row(error: Mapping[str, Any]) -> str:
    if error["code"] == "non_finite_prediction":
        return _("The model gave no finite number for this row; it costs nothing.")
    if error["code"] == "type":
        return _("A row must be an object that names its columns.")
    return str(error.get("message", error["code"]))


def complaint(error: Mapping[str, Any], definition: Mapping[str, Any]) -> str:
    """Say what is wrong with a value, without naming its column."""
    code = error["code"]
    if code == "type":
        return str(KINDS[schemas.kind_of(definition)])
    if code == "range":
        limits = schemas.limits_of(definition) or _("a finite number")
        return _("must be %(limits)s") % {"limits": limits}
    if code == "category":
        allowed = ", ".join(schemas.shown(value) for value in definition.get("enum", []))
        return _("must be one of: %(allowed)s") % {"allowed": allowed}
    return str(PLAIN.get(code, error.get("message", code)))


PLAIN = {
    "missing": gettext_lazy("is missing"),
    "unexpected": gettext_lazy("is not a column of this model"),
    "too_long": gettext_lazy("is too long"),
}


def complaint_about(
    error: Mapping[str, Any], definition: Mapping[str, Any], value: object = None
) -> str:
    """Say the same as a sentence of its own; of a decimal comma, what to write instead."""
    if error["code"] == "type" and is_decimal_comma(value, definition):
        return comma_advice(str(value))
    said = complaint(error, definition)
    return f"{said[:1].upper()}{said[1:]}."


def is_decimal_comma(value: object, definition: Mapping[str, Any]) -> bool:
    is_comma = isinstance(value, str) and DECIMAL_COMMA.fullmatch(value) is not None
    return is_comma and schemas.kind_of(definition) in schemas.NUMERIC


def comma_advice(text: str) -> str:
    said = {"comma": text.strip(), "point": text.strip().replace(",", ".")}
    return _("Write decimals with a point, as %(point)s, not %(comma)s.") % said


def warning(doubt: Mapping[str, Any], properties: Mapping[str, Any]) -> str:
    """Say that a value lies where the model has seen nothing."""
    field = doubt["field"]
    definition = properties.get(field, {})
    return _("%(column)s: outside the training data (%(range)s)") % {
        "column": schemas.title_of(field, definition),
        "range": schemas.training_range_of(definition),
    }


def outside(definition: Mapping[str, Any]) -> str:
    """Say the same beside the value itself."""
    seen = schemas.training_range_of(definition)
    return _("Outside the training data (%(range)s): predicted with a warning.") % {"range": seen}


REFUSALS = {
    "insufficient_credits": gettext_lazy(
        "Not enough credits: this takes {required}, you have {available}."
    ),
    "version_broken": gettext_lazy(
        "This version of the model is broken and must be mended by the operator. "
        "Nothing was charged."
    ),
    "queue_full": gettext_lazy("The service is busy. Nothing was charged; try again in a moment."),
    "forbidden": gettext_lazy("This account is disabled. Ask the operator."),
}


def refusal(error: DomainError) -> str:
    """Say why a submission was refused as a whole; the domain's own words by default."""
    if error.code not in REFUSALS:
        return str(error.detail)
    numbers = {key: schemas.shown(value) for key, value in error.extra.items()}
    return str(REFUSALS[error.code]).format(**numbers)


FAILURES = {
    "expired": gettext_lazy("It waited too long. Nothing was charged; send it again."),
    "non_finite_prediction": gettext_lazy(
        "The model gave no finite number for any row. Nothing was charged."
    ),
    "prediction_failed": gettext_lazy(
        "The model could not predict these rows. Nothing was charged."
    ),
    "timeout": gettext_lazy("It took longer than a prediction may. Nothing was charged."),
    "out_of_memory": gettext_lazy(
        "It needed more memory than a prediction may have. Nothing was charged."
    ),
    "version_broken": gettext_lazy("This version of the model is broken. Nothing was charged."),
    "attempts_exhausted": gettext_lazy("Its worker was lost too often. Nothing was charged."),
}


def failure(*, code: str, message: str) -> str:
    """Say why a prediction failed; what was recorded by default."""
    return str(FAILURES.get(code, message))


def duration(seconds: float) -> str:
    """Say a time in whole seconds, and in minutes where it is longer than one."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    if not minutes:
        return _("%(seconds)d s") % {"seconds": rest}
    return _("%(minutes)d min %(seconds)d s") % {"minutes": minutes, "seconds": rest}
