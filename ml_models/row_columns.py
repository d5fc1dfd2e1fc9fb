"""The only place that knows which values a column of a model version takes."""

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from ml_models.row_errors import Code, RowError, RowWarning, Value, one_of, shown

MAX_TEXT = 1_000
MAX_FLOAT = sys.float_info.max

Kind = Literal["number", "integer", "boolean", "string"]

NAMES: dict[Kind, str] = {
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "string": "a text",
}
NUMERIC = ("number", "integer")
KEYWORDS = {"type", "enum", "minimum", "maximum", "maxLength"}
ANNOTATIONS = {"title", "description", "default", "example", "examples", "deprecated", "$comment"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One property of an input schema: what it takes, and what is worth a warning."""

    name: str
    kind: Kind
    is_nullable: bool = False
    is_optional: bool = False
    categories: Mapping[Value, None] | None = None
    minimum: float = -MAX_FLOAT
    maximum: float = MAX_FLOAT
    max_length: int = MAX_TEXT
    training_range: tuple[float, float] = (-math.inf, math.inf)

    def read(self, value: object) -> Value | RowError:
        """Return the value as the model gets it, or why it is refused."""
        if value is None and self.is_nullable:
            return None
        if isinstance(value, str) and len(value) > MAX_TEXT:
            return self._too_long(value)
        converted = CONVERTERS[self.kind](value)
        if converted is None:
            return self._refused("type", f"must be {self._expected}; got {shown(value)}")
        return self._allowed(converted, value)

    def missing(self) -> RowError:
        return self._refused("missing", f"is missing; send {self._expected}")

    def warn_about(self, value: Value) -> RowWarning | None:
        if not isinstance(value, int | float) or isinstance(value, bool):
            return None
        lowest, highest = self.training_range
        return None if lowest <= value <= highest else RowWarning(self.name)

    def doubts(self) -> Callable[[Sequence[Any]], Sequence[int]]:
        """Return a quick look over a column of rightly typed values.

        It finds the positions of all values that `read` refuses or `warn_about` names; it may
        find more, since what it finds is read again with care.
        """
        if self.categories is not None:
            plain = {value for value in self.categories if self._is_plain(value)}
            return _strangers_to(plain | {None} if self.is_nullable else plain)
        if self.kind in NUMERIC:
            lowest, highest = self.training_range
            return _outsiders_of(max(self.minimum, lowest), min(self.maximum, highest))
        if self.kind == "string":
            return _longer_than(self.max_length)
        return lambda values: ()

    def _is_plain(self, value: Value) -> bool:
        return not isinstance(self.read(value), RowError) and self.warn_about(value) is None

    @property
    def _expected(self) -> str:
        return NAMES[self.kind] + (" or null" if self.is_nullable else "")

    def _allowed(self, value: Value, sent: object) -> Value | RowError:
        if self.kind in NUMERIC and not self._is_within(cast(float, value)):
            return self._refused("range", f"must be {self._limits()}; got {shown(sent)}")
        if self.categories is not None and value not in self.categories:
            allowed = one_of(self.categories)
            return self._refused("category", f"must be {allowed}; got {shown(sent)}")
        if isinstance(value, str) and len(value) > self.max_length:
            return self._too_long(value)
        return value

    def _is_within(self, value: float) -> bool:
        return self.minimum <= value <= self.maximum

    def _limits(self) -> str:
        below, above = self.minimum > -MAX_FLOAT, self.maximum < MAX_FLOAT
        if below and above:
            return f"between {self.minimum} and {self.maximum}"
        if below:
            return f"finite and at least {self.minimum}"
        return f"finite and at most {self.maximum}" if above else "a finite number"

    def _too_long(self, value: str) -> RowError:
        limit = self.max_length if self.kind == "string" else MAX_TEXT
        return self._refused("too_long", f"must be at most {limit} characters; got {len(value)}")

    def _refused(self, code: Code, complaint: str) -> RowError:
        return RowError(self.name, code, f"{self.name} {complaint}.")


def column_from(name: str, definition: Mapping[str, Any], *, is_required: bool) -> Column:
    """Read one property of an input schema; raise ValueError for what would go unchecked."""
    _refuse_unknown_keywords(name, definition)
    kind, is_nullable = _kind_of(name, definition)
    lowest, highest = definition.get("x-training-range", (-math.inf, math.inf))
    return Column(
        name=name,
        kind=kind,
        is_nullable=is_nullable,
        is_optional=is_nullable and not is_required,
        categories=_categories_of(name, definition, kind, is_nullable=is_nullable),
        minimum=definition.get("minimum", -MAX_FLOAT),
        maximum=definition.get("maximum", MAX_FLOAT),
        max_length=min(definition.get("maxLength", MAX_TEXT), MAX_TEXT),
        training_range=(lowest, highest),
    )


def _refuse_unknown_keywords(name: str, definition: Mapping[str, Any]) -> None:
    keywords = {key for key in definition if not key.startswith("x-")}
    if unknown := keywords - KEYWORDS - ANNOTATIONS:
        raise ValueError(f"Column {name!r}: {', '.join(sorted(unknown))} cannot be checked.")


def _kind_of(name: str, definition: Mapping[str, Any]) -> tuple[Kind, bool]:
    declared = definition.get("type")
    types = [declared] if isinstance(declared, str) else list(declared or ())
    kinds = [kind for kind in types if kind != "null"]
    if len(kinds) != 1 or kinds[0] not in NAMES:
        raise ValueError(f"Column {name!r}: one type of {', '.join(NAMES)} is needed.")
    return kinds[0], "null" in types


def _categories_of(
    name: str, definition: Mapping[str, Any], kind: Kind, *, is_nullable: bool
) -> Mapping[Value, None] | None:
    if "enum" not in definition:
        return None
    listed = definition["enum"]
    if (None in listed) != is_nullable:
        raise ValueError(f"Column {name!r}: type and enum disagree about null.")
    values = [CONVERTERS[kind](value) for value in listed if value is not None]
    if None in values:
        raise ValueError(f"Column {name!r}: every category must be {NAMES[kind]}.")
    return dict.fromkeys(values)


def _as_number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _as_integer(value: object) -> float | None:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    # A float without end is handed on, to be refused for its range rather than its type.
    if isinstance(value, float) and not math.isfinite(value):
        return value
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _as_boolean(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _as_text(value: object) -> str | None:
    return value if isinstance(value, str) else None


CONVERTERS: dict[Kind, Callable[[object], Value]] = {
    "number": _as_number,
    "integer": _as_integer,
    "boolean": _as_boolean,
    "string": _as_text,
}


def _strangers_to(known: set[Value]) -> Callable[[Sequence[Any]], Sequence[int]]:
    def find(values: Sequence[Any]) -> Sequence[int]:
        # The whole column at once first: it is hardly ever anything but known.
        if known.issuperset(values):
            return ()
        return [position for position, value in enumerate(values) if value not in known]

    return find


def _outsiders_of(lowest: float, highest: float) -> Callable[[Sequence[Any]], Sequence[int]]:
    def find(values: Sequence[Any]) -> Sequence[int]:
        return [
            position
            for position, value in enumerate(values)
            if value is not None and not lowest <= value <= highest
        ]

    return find


def _longer_than(limit: int) -> Callable[[Sequence[Any]], Sequence[int]]:
    def find(values: Sequence[Any]) -> Sequence[int]:
        return [
            position
            for position, value in enumerate(values)
            if value is not None and len(value) > limit
        ]

    return find
