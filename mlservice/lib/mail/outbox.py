"""The only place that writes mail down and sends it: first a row, then, after commit, a mail.

A letter is sent outside any transaction. A sender that dies between sending and noting it
sends it once more when its lease ends, under the same Message-ID: twice at worst, never not.
"""

import time
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.template.loader import render_to_string
from django.utils.translation import override

from mlservice.lib.logging import without_secrets
from mlservice.lib.mail.models import MAX_ATTEMPTS, Letter

logger = structlog.get_logger(__name__)

LETTERS_A_RUN = 100
RUN_SECONDS = 60
# Longer than a run may live, so that no letter is ever in two hands.
LEASE = timedelta(minutes=5)
LONGEST_PAUSE = timedelta(hours=6)
KEPT = timedelta(days=30)


def write_letter(
    *, event: str, recipient: str, language: str, template: str, context: Mapping[str, Any]
) -> Letter:
    """Word a letter in the reader's language; the template's first line is its subject."""
    with override(language):
        text = render_to_string(f"mail/{template}.txt", dict(context))
    subject, _, body = text.strip().partition("\n")
    return Letter(
        event=event,
        recipient=recipient,
        subject=" ".join(subject.split())[:200],
        body=body.strip() + "\n",
    )


def queue_letters(letters: Iterable[Letter]) -> None:
    """Store letters in the caller's transaction; what was told already is not told again."""
    Letter.objects.bulk_create(letters, ignore_conflicts=True)


def send_letters() -> int:
    """Send what is due, a bounded number of letters in a bounded time; return how many went."""
    if not Letter.objects.due().exists():
        return 0
    connection, sent = get_connection(), 0
    ends_at = time.monotonic() + RUN_SECONDS
    try:
        for _ in range(LETTERS_A_RUN):
            # A server that is away is no letter's fault, so none is taken in hand.
            if time.monotonic() > ends_at or not _is_open(connection):
                break
            if (letter := _claim()) is None:
                break
            sent += _deliver(letter, connection)
    finally:
        connection.close()
    return sent


def send_again(*, letter_ids: Iterable[int]) -> int:
    """Let letters be tried anew that were given up; return how many are."""
    unsent = Letter.objects.unsent().filter(pk__in=list(letter_ids))
    return unsent.update(attempts=0, due_at=Now())


def forget_letters(*, recipient: str) -> None:
    """Delete every letter to somebody who is leaving, sent or not."""
    Letter.objects.filter(recipient=recipient).delete()


def prune_letters() -> int:
    """Delete letters that were sent long ago; return how many."""
    return Letter.objects.filter(sent_at__lt=Now() - KEPT).delete()[0]


def _is_open(connection: Any) -> bool:
    try:
        connection.open()
    except OSError as error:
        logger.warning("mail_server_away", error=str(error))
        return False
    return True


def _claim() -> Letter | None:
    """Take the next letter in hand for a lease; two senders never take the same one."""
    with transaction.atomic():
        due = Letter.objects.due().order_by("due_at", "pk").select_for_update(skip_locked=True)
        letter = due.first()
        if letter:
            Letter.objects.filter(pk=letter.pk).update(
                attempts=F("attempts") + 1, due_at=Now() + LEASE
            )
            letter.attempts += 1
    return letter


def _deliver(letter: Letter, connection: Any) -> bool:
    """Send a letter and note it; what is refused is tried again after a pause that grows."""
    host = urlsplit(settings.SITE_URL).hostname
    message = EmailMessage(
        letter.subject,
        letter.body,
        to=[letter.recipient],
        connection=connection,
        headers={"Message-ID": f"<letter-{letter.pk}@{host}>", "Auto-Submitted": "auto-generated"},
    )
    try:
        message.send()
    except (OSError, ValueError) as error:
        # After a refusal the conversation may be broken; the next letter begins a new one.
        connection.close()
        _postpone(letter, error)
        return False
    # Its reader has the link now, and nobody else needs it.
    Letter.objects.filter(pk=letter.pk).update(
        sent_at=Now(), error="", body=without_secrets(letter.body)
    )
    logger.info("letter_sent", letter=letter.pk, letter_event=letter.event)
    return True


def _postpone(letter: Letter, error: Exception) -> None:
    pause = min(timedelta(minutes=2**letter.attempts), LONGEST_PAUSE)
    Letter.objects.filter(pk=letter.pk).update(due_at=Now() + pause, error=str(error)[:200])
    log = logger.error if letter.attempts >= MAX_ATTEMPTS else logger.warning
    log("letter_not_sent", letter=letter.pk, attempts=letter.attempts, error=str(error))
