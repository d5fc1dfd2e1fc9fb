"""What an operator is told before going live with mail as it comes."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

SMTP = "django.core.mail.backends.smtp.EmailBackend"


def warnings_of(capsys: pytest.CaptureFixture[str]) -> str:
    told = StringIO()
    call_command("check", deploy=True, stderr=told, stdout=told)
    return told.getvalue() + capsys.readouterr().err


@pytest.mark.parametrize(
    ("backend", "is_warned"),
    [("django.core.mail.backends.console.EmailBackend", True), (SMTP, False)],
)
def test_letters_in_the_log_are_warned_of(
    settings: Any, capsys: pytest.CaptureFixture[str], backend: str, is_warned: bool
) -> None:
    settings.EMAIL_BACKEND = backend

    assert ("mail.W001" in warnings_of(capsys)) == is_warned
