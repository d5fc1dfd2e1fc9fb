"""The Russian catalogue: no text is left in English, no counted word lacks a form."""

from io import BytesIO
from pathlib import Path

import pytest
from babel.messages import Message
from babel.messages.extract import extract
from babel.messages.pofile import read_po
from django.conf import settings
from django.utils.translation.template import templatize

PACKAGES = ("accounts", "billing", "ml_models", "mlservice", "predictions")
WITH_CONTEXT = {"pgettext": ((1, "c"), 2), "npgettext": ((1, "c"), 2, 3)}
KEYWORDS = {
    **dict.fromkeys(("_", "gettext", "gettext_lazy", "gettext_noop")),
    **dict.fromkeys(("ngettext", "ngettext_lazy"), (1, 2)),
    **WITH_CONTEXT,
    **{f"{name}_lazy": places for name, places in WITH_CONTEXT.items()},
}
CATALOGUE = Path(settings.LOCALE_PATHS[0]) / "ru" / "LC_MESSAGES" / "django.po"


def forms_of(message: Message) -> list[object]:
    return list(message.string or [""]) if message.pluralizable else [message.string]


def test_every_text_is_translated_in_all_its_forms() -> None:
    with CATALOGUE.open("rb") as file:
        catalogue = read_po(file, locale="ru")

    texts = {message.id: forms_of(message) for message in catalogue if message.id}

    assert texts
    assert [one for one, forms in texts.items() if not all(forms)] == []


def test_no_translation_is_a_guess() -> None:
    with CATALOGUE.open("rb") as file:
        catalogue = read_po(file, locale="ru")

    assert [message.id for message in catalogue if message.id and message.fuzzy] == []


def sources() -> list[tuple[Path, str]]:
    """Give every file that speaks to people as Python, in which texts are marked."""
    written = [path for package in PACKAGES for path in Path(package).rglob("*.py")]
    templates = [path for path in Path("templates").rglob("*") if path.is_file()]
    return [(path, path.read_text()) for path in written] + [
        (path, unindented(templatize(path.read_text()))) for path in templates
    ]


def unindented(text: str) -> str:
    return "\n".join(line.strip() for line in text.splitlines())


def test_every_text_that_is_marked_stands_in_the_catalogue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(settings.BASE_DIR)
    with CATALOGUE.open("rb") as file:
        catalogue = read_po(file, locale="ru")

    marked = {
        (message if isinstance(message, str) else message[0], context, str(path))
        for path, text in sources()
        for _, message, _, context in extract("python", BytesIO(text.encode()), KEYWORDS)
    }

    assert len({text for text, _, _ in marked}) > 400
    missing = [one for one in marked if one[0] and catalogue.get(one[0], one[1]) is None]
    assert missing == []
