"""The only place that takes a link out of the letter which a test is about."""

import re

from mlservice.lib.mail.models import Letter


def link_in_letter(kind: str, recipient: str) -> str:
    """Give the path that the last letter of a kind to somebody leads to."""
    letter = letters(kind, recipient).latest("pk")
    found = re.search(r"^http://[^/]+(/\S*)$", letter.body, flags=re.MULTILINE)
    assert found is not None
    return found[1]


def letters(kind: str, recipient: str):
    return Letter.objects.filter(event__startswith=f"{kind}:", recipient=recipient)
