"""The Russian catalogue: no text is left in English, no counted word lacks a form."""

from pathlib import Path

from babel.messages.pofile import read_po
from django.conf import settings

CATALOGUE = Path(settings.LOCALE_PATHS[0]) / "ru" / "LC_MESSAGES" / "django.po"


def test_every_text_is_translated_in_all_its_forms() -> None:
    with CATALOGUE.open("rb") as file:
        catalogue = read_po(file, locale="ru")

    forms = {
        message.id: message.string if message.pluralizable else (message.string,)
        for message in catalogue
        if message.id
    }

    assert forms
    assert [one for one, said in forms.items() if not all(said)] == []


def test_no_translation_is_a_guess() -> None:
    with CATALOGUE.open("rb") as file:
        catalogue = read_po(file, locale="ru")

    assert [message.id for message in catalogue if message.id and message.fuzzy] == []
