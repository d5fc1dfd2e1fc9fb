"""The Russian catalogue: no text is left in English, no counted word lacks a form."""

from pathlib import Path

from babel.messages import Message
from babel.messages.pofile import read_po
from django.conf import settings

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
