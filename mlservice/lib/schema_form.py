"""The one place that makes a form of one row out of a JSON Schema."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.html import escape
from django.utils.translation import gettext as _

from mlservice.lib import schema as schemas

Definition = Mapping[str, Any]


class RowForm(forms.Form):
    """One input a column, prefilled with an example; the row check stays with the domain.

    Inputs are called `column-<name>`, or `column-<position>` where the name has characters
    that an id must not have.
    """

    use_required_attribute = True

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        files: Any = None,
        *,
        schema: Mapping[str, Any],
        example: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        self.properties: Mapping[str, Definition] = schema["properties"]
        self.positions = {name: position for position, name in enumerate(self.properties)}
        initial = {name: text_of(value) for name, value in (example or {}).items()}
        super().__init__(data, files, initial=initial, **options)
        for name, definition in self.properties.items():
            self.fields[name] = field_for(name, definition)

    def add_prefix(self, field_name: int | str) -> str:
        name = str(field_name)
        plain = name.isascii() and name.isidentifier()
        # Django also asks for names that are no column's, to build others on.
        column = f"column-{name if plain else self.positions.get(name, name)}"
        return f"{self.prefix}-{column}" if self.prefix else column

    def row(self) -> dict[str, Any]:
        """Return the values as the schema types them; an empty input is no value.

        What the form refuses is given as it was typed, for the row check to judge: left out, it
        would be a missing value, which may be a valid one.
        """
        texts = {name: self._text(name) for name in self.properties}
        return {
            name: schemas.value_from(text, self.properties[name])
            for name, text in texts.items()
            if text != ""
        }

    def _text(self, name: str) -> str:
        refused = name in self.errors
        return str(self.data.get(self.add_prefix(name), "") if refused else self.cleaned_data[name])


def text_of(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def field_for(name: str, definition: Definition) -> forms.Field:
    common: dict[str, Any] = {
        "label": label_for(name, definition),
        "help_text": help_for(definition),
        "required": not schemas.is_nullable(definition),
    }
    if choices := choices_for(definition):
        return forms.ChoiceField(choices=choices, **common)
    if schemas.kind_of(definition) in schemas.NUMERIC:
        return forms.CharField(widget=number_input(definition), max_length=100, **common)
    return forms.CharField(max_length=definition.get("maxLength", 1_000), strip=False, **common)


def label_for(name: str, definition: Definition) -> str:
    title, unit = schemas.title_of(name, definition), definition.get("x-unit")
    return f"{title}, {unit}" if unit else title


def help_for(definition: Definition) -> str:
    """Say what the column means and which values the model has seen."""
    learnt = schemas.training_range_of(definition)
    seen = _("Training data: %(range)s.") % {"range": learnt} if learnt else ""
    meaning = schemas.words(definition, "description")
    # Templates take a help text for HTML, and a schema is anybody's.
    return escape(" ".join(filter(None, (f"{meaning.rstrip('.')}." if meaning else "", seen))))


def choices_for(definition: Definition) -> list[tuple[str, str]]:
    if schemas.kind_of(definition) == "boolean":
        values = [("true", _("yes")), ("false", _("no"))]
    else:
        values = [(text_of(v), str(v)) for v in definition.get("enum", []) if v is not None]
    return [("", "–"), *values] if values and schemas.is_nullable(definition) else values


def number_input(definition: Definition) -> forms.NumberInput:
    step = 1 if schemas.kind_of(definition) == "integer" else "any"
    limits = {"min": definition.get("minimum"), "max": definition.get("maximum")}
    given = {key: value for key, value in limits.items() if value is not None}
    return forms.NumberInput(attrs={"step": step, "inputmode": "decimal", **given})
