"""What `check --deploy` says of mail."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning

CONSOLE = "django.core.mail.backends.console.EmailBackend"
LETTERS_IN_THE_LOG = Warning(
    "EMAIL_BACKEND is the console: letters go to the worker's log, with their links to set "
    "passwords and confirm addresses.",
    hint="Set EMAIL_BACKEND to django.core.mail.backends.smtp.EmailBackend, and EMAIL_HOST.",
    id="mail.W001",
)


def letters_stay_out_of_the_log(**_: Any) -> list[CheckMessage]:
    return [LETTERS_IN_THE_LOG] if settings.EMAIL_BACKEND == CONSOLE else []
