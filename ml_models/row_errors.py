"""The only place that words what is wrong with a row."""

from collections.abc import Collection
from typing import Literal

import msgspec

MAX_SHOWN = 60
MAX_LISTED = 10
MAX_SHOWN_INTEGER = 10**20

Value = str | int | float | bool | None
Code = Literal["missing", "unexpected", "type", "range", "category", "too_long"]


class RowError(msgspec.Struct, frozen=True):
    """Why a row is refused; `field` is null where the whole row is meant."""

    field: str | None
    code: Code
    message: str


class RowWarning(msgspec.Struct, frozen=True):
    """What to know about a row that is predicted all the same."""

    field: str
    code: Literal["outside_training_range"] = "outside_training_range"


def row_is_no_object(row: object) -> RowError:
    message = f"A row must be an object that names its columns; got {shown(row)}."
    return RowError(None, "type", message)


def unexpected_field(key: object) -> RowError:
    message = f"{shown(key)} is not a column of this model; remove it."
    return RowError(shortened(str(key)), "unexpected", message)


def further_errors(code: Code, limit: int) -> RowError:
    message = f"Only the first {limit} errors of this row are listed; correct them and try again."
    return RowError(None, code, message)


def one_of(categories: Collection[Value]) -> str:
    """List the first categories, as they are read rather than as they are typed."""
    listed = [shortened(str(category)) for category in list(categories)[:MAX_LISTED]]
    rest = len(categories) - len(listed)
    return "one of " + ", ".join(listed) + (f" and {rest} more" if rest else "")


def shown(value: object) -> str:
    """Name a value from outside in a few printable characters.

    Containers are named, not opened, since they may be nested without end.
    """
    if value is None or isinstance(value, bool):
        return str(value).lower().replace("none", "null")
    if isinstance(value, str):
        # repr escapes control characters and direction overrides, which lengthens the text.
        return shortened(repr(value[: MAX_SHOWN + 1]))
    if isinstance(value, int) and abs(value) >= MAX_SHOWN_INTEGER:
        # Python refuses to print integers of more than 4,300 digits.
        return "an integer of more than 20 digits"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, dict):
        return "an object"
    return "a list" if isinstance(value, list) else "something else"


def shortened(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"
