"""The card of a version for people: what it is for, and what it learnt from."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from ml_models.models import Card
from mlservice.lib.schema import shown


def said(words: Mapping[str, Any], key: str) -> str:
    """Return what the card says in the reader's language, in English by default."""
    text: str = words.get(f"{key}_{get_language()}") or words.get(key, "")
    return text


def use(card: Card) -> dict[str, str]:
    return {name: said(card.words, name) for name in ("intended_use", "not_for")}


def data(card: Card) -> dict[str, Any]:
    """Tell what the rows are, where they come from, how many there were, and what was left out."""
    words = card.words
    figures = [
        (_("Rows"), words.get("rows")),
        (_("Rows learnt from"), words.get("training_rows")),
        (_("Rows tested on"), words.get("test_rows")),
    ]
    return {
        "about": said(words, "data"),
        "origin": words.get("origin", ""),
        "licence": said(words, "licence"),
        "figures": [(title, shown(value)) for title, value in figures if value is not None],
        "cleaning": [
            {"reason": said(rule, "reason"), "rows": rule["rows"]}
            for rule in words.get("cleaning", [])
        ],
    }
