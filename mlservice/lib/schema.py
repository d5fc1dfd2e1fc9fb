"""The one place that reads a property of a JSON Schema for people: its words and its texts."""

import math
import re
from collections.abc import Mapping
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import get_language
from django.utils.translation import gettext as _

# float() would also take 1_000, Arabic digits, inf and padding: only plain ASCII passes.
NUMBER = re.compile(r"[+-]?(\d{1,300}(\.\d{0,300})?|\.\d{1,300})([eE][+-]?\d{1,3})?", re.ASCII)
INTEGER = re.compile(r"[+-]?\d{1,15}", re.ASCII)
BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
NUMERIC = {"number", "integer"}
SIGNIFICANT_DIGITS = 6


def kind_of(definition: Mapping[str, Any]) -> str:
    """Return the one type beside null that a property has."""
    declared = definition.get("type", "string")
    kinds = [declared] if isinstance(declared, str) else declared
    return next((kind for kind in kinds if kind != "null"), "string")


def is_nullable(definition: Mapping[str, Any]) -> bool:
    declared = definition.get("type", "string")
    return not isinstance(declared, str) and "null" in declared


def words(definition: Mapping[str, Any], key: str) -> str:
    """Return the title or description in the reader's language, the schema's own by default."""
    text: str = definition.get(f"x-{key}-{get_language()}") or definition.get(key, "")
    return text


def title_of(name: str, definition: Mapping[str, Any]) -> str:
    return words(definition, "title") or name


def value_from(text: str, definition: Mapping[str, Any]) -> Any:
    """Turn what a person typed into the property's type.

    A text that is none of it is returned as it stands, so that the row check can name it.
    """
    kind, plain = kind_of(definition), text.strip()
    if kind == "boolean":
        return BOOLEANS.get(plain.lower(), text)
    if kind in NUMERIC:
        return _number_from(plain, text)
    return plain if "enum" in definition else text


def _number_from(plain: str, text: str) -> int | float | str:
    if INTEGER.fullmatch(plain):
        return int(plain)
    if NUMBER.fullmatch(plain) and math.isfinite(number := float(plain)):
        return number
    return text


def shown_number(value: float) -> str:
    """Write a number for reading: about six significant digits, the reader's separators."""
    whole_digits = len(str(int(abs(value))))
    if (value and abs(value) < 0.001) or whole_digits > 15:
        return f"{value:.{SIGNIFICANT_DIGITS}g}"
    decimals = max(0, SIGNIFICANT_DIGITS - whole_digits)
    text = f"{value:.{decimals}f}"
    text = text.rstrip("0").rstrip(".") if decimals else text
    places = len(text.partition(".")[2])
    return str(number_format(text, decimal_pos=places, force_grouping=True))


def shown(value: Any) -> str:
    """Write one value of a row for reading."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return shown_number(value) if isinstance(value, int | float) else str(value)


def limits_of(definition: Mapping[str, Any]) -> str:
    """Say which numbers are taken; empty when any is."""
    lowest, highest = definition.get("minimum"), definition.get("maximum")
    if lowest is not None and highest is not None:
        return _("from %(low)s to %(high)s") % {"low": shown(lowest), "high": shown(highest)}
    if lowest is not None:
        return _("at least %(low)s") % {"low": shown(lowest)}
    return "" if highest is None else _("at most %(high)s") % {"high": shown(highest)}


def training_range_of(definition: Mapping[str, Any]) -> str:
    """Say between which numbers the model learnt; empty when nothing is known."""
    if "x-training-range" not in definition:
        return ""
    low, high = definition["x-training-range"]
    return f"{shown(low)} – {shown(high)}"
