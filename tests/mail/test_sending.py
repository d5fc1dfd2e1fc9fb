"""Letters that wait: sent once, tried again when refused, kept when nobody takes them."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.db import transaction
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone

from accounts.models import User
from mlservice.lib.mail import outbox
from mlservice.lib.mail.models import MAX_ATTEMPTS, Letter
from mlservice.lib.mail.outbox import prune_letters, queue_letters, send_again, send_letters
from tests.conftest import make_user
from tests.mail.smtp import mail_server

pytestmark = pytest.mark.django_db


class RefusingBackend(EmailBackend):
    """A server that knows nobody of a certain name."""

    def send_messages(self, messages: Sequence[Any]) -> int:
        if any("nobody" in to for message in messages for to in message.to):
            raise OSError("550 no such mailbox")
        return super().send_messages(messages)


class AbsentBackend(EmailBackend):
    """A server that does not answer."""

    def open(self) -> bool | None:
        raise ConnectionRefusedError("nobody listens")


def make_letter(number: int = 1, *, recipient: str = "alice@example.com") -> Letter:
    letter = Letter(
        event=f"test:{number}", recipient=recipient, subject=f"Letter {number}", body="Hello\n"
    )
    queue_letters([letter])
    return Letter.objects.get(event=letter.event, recipient=recipient)


def named(backend: type) -> str:
    return f"{__name__}.{backend.__name__}"


def speak_smtp(settings: Any, port: int) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port


def make_due(letter: Letter) -> None:
    Letter.objects.filter(pk=letter.pk).update(due_at=Now())


def test_a_letter_is_sent_once() -> None:
    letter = make_letter()

    sent = [send_letters(), send_letters()]

    assert sent == [1, 0]
    (message,) = mail.outbox
    assert (message.subject, message.to) == ("Letter 1", ["alice@example.com"])
    assert message.extra_headers["Message-ID"] == f"<letter-{letter.pk}@127.0.0.1>"
    letter.refresh_from_db()
    assert letter.sent_at is not None


def test_an_event_is_told_to_a_recipient_once() -> None:
    make_letter()
    make_letter()
    make_letter(recipient="bob@example.com")

    assert send_letters() == 2
    assert sorted(message.to[0] for message in mail.outbox) == [
        "alice@example.com",
        "bob@example.com",
    ]


@pytest.mark.django_db(transaction=True)
def test_a_letter_of_a_transaction_that_fails_is_never_sent() -> None:
    def fail_after_a_letter() -> None:
        with transaction.atomic():
            make_letter()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_after_a_letter()

    assert send_letters() == 0
    assert mail.outbox == []


def test_a_refused_letter_waits_and_its_neighbour_goes(settings: Any) -> None:
    settings.EMAIL_BACKEND = named(RefusingBackend)
    refused = make_letter(1, recipient="nobody@example.com")
    make_letter(2)

    sent = send_letters()

    refused.refresh_from_db()
    assert sent == 1
    assert (refused.sent_at, refused.attempts) == (None, 1)
    assert refused.error == "550 no such mailbox"
    assert refused.due_at > timezone.now() + timedelta(minutes=1)


def test_a_real_server_gets_the_letters_in_one_conversation(settings: Any) -> None:
    make_letter(1)
    make_letter(2)

    with mail_server() as server:
        speak_smtp(settings, server.port)
        sent = send_letters()

    assert (sent, server.conversations) == (2, 1)
    assert "Subject: Letter 1" in server.taken[0]
    assert "To: alice@example.com" in server.taken[0]
    assert "Message-ID: <letter-" in server.taken[0]


def test_after_a_refusal_by_a_real_server_the_rest_goes_in_a_new_conversation(
    settings: Any,
) -> None:
    refused = make_letter(1, recipient="nobody@example.com")
    make_letter(2)

    with mail_server() as server:
        speak_smtp(settings, server.port)
        sent = send_letters()

    refused.refresh_from_db()
    assert (sent, server.conversations, len(server.taken)) == (1, 2, 1)
    assert "550" in refused.error


def test_an_address_that_is_none_does_not_stop_the_others() -> None:
    broken = make_letter(1, recipient="alice\n@example.com")
    make_letter(2)

    assert send_letters() == 1
    broken.refresh_from_db()
    assert (broken.sent_at, broken.attempts) == (None, 1)


def test_a_letter_is_given_up_in_the_end_and_can_be_sent_again(settings: Any) -> None:
    settings.EMAIL_BACKEND = named(RefusingBackend)
    letter = make_letter(recipient="nobody@example.com")
    for _ in range(MAX_ATTEMPTS + 3):
        send_letters()
        make_due(letter)
    letter.refresh_from_db()
    given_up_after = letter.attempts
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    before = send_letters()

    send_again(letter_ids=[letter.pk])

    assert given_up_after == MAX_ATTEMPTS
    assert (before, send_letters()) == (0, 1)


def test_a_server_that_is_away_costs_no_attempt(settings: Any) -> None:
    settings.EMAIL_BACKEND = named(AbsentBackend)
    letter = make_letter()

    sent = send_letters()

    letter.refresh_from_db()
    assert (sent, letter.attempts, letter.sent_at) == (0, 0, None)


def test_a_letter_whose_sender_died_is_sent_when_the_lease_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    letter = make_letter()

    def die(*args: Any) -> bool:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(outbox, "_deliver", die)
        with pytest.raises(SystemExit):
            send_letters()
    in_hand = send_letters()
    make_due(letter)

    assert (in_hand, send_letters()) == (0, 1)


def test_a_run_sends_a_bounded_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "LETTERS_A_RUN", 3)
    for number in range(5):
        make_letter(number)

    assert [send_letters(), send_letters(), send_letters()] == [3, 2, 0]


def test_letters_sent_long_ago_are_forgotten_and_those_that_wait_are_kept() -> None:
    make_letter(1)
    send_letters()
    waiting = make_letter(2)
    Letter.objects.update(created_at=Now() - timedelta(days=99))
    Letter.objects.filter(sent_at__isnull=False).update(sent_at=Now() - timedelta(days=31))

    pruned = prune_letters()

    assert pruned == 1
    assert list(Letter.objects.all()) == [waiting]


def test_an_operator_lets_a_letter_be_tried_again(
    staff: User, page: Callable[[User], Client]
) -> None:
    letter = make_letter()
    Letter.objects.filter(pk=letter.pk).update(attempts=MAX_ATTEMPTS)

    page(staff).post(
        "/admin/mail/letter/", {"action": "try_again", "_selected_action": [letter.pk]}
    )

    letter.refresh_from_db()
    assert letter.attempts == 0


SECRET_LINKS = (
    "http://ml.example.com/password/MQ/c0ffee-1\nhttp://ml.example.com/confirm/MQ:c0ffee\n"
)


def make_operator() -> User:
    """Somebody who may look at letters, and at nothing else."""
    operator = make_user("carol", is_staff=True)
    operator.user_permissions.add(Permission.objects.get(codename="view_letter"))
    return operator


def test_the_desk_shows_a_letter_without_the_secrets_of_its_links(
    page: Callable[[User], Client],
) -> None:
    letter = make_letter()
    Letter.objects.filter(pk=letter.pk).update(body=f"Hello Alice\n{SECRET_LINKS}")

    shown = page(make_operator()).get(f"/admin/mail/letter/{letter.pk}/change/")

    drawn = shown.content.decode()
    assert (shown.status_code, "c0ffee" in drawn) == (200, False)
    assert "Hello Alice" in drawn
    assert "/password/MQ/***" in drawn
    assert "/confirm/***" in drawn


@pytest.mark.parametrize("lookup", ["body", "body__contains", "body__regex"])
def test_the_desk_does_not_say_what_a_letter_holds_when_asked_by_address(
    page: Callable[[User], Client], lookup: str
) -> None:
    client = page(make_operator())

    assert client.get("/admin/mail/letter/", {"subject__contains": "c0"}).status_code == 200
    assert client.get("/admin/mail/letter/", {lookup: "c0"}).status_code == 400


def test_a_letter_that_was_sent_keeps_its_words_and_no_secret() -> None:
    letter = make_letter()
    Letter.objects.filter(pk=letter.pk).update(body=f"Hello\n{SECRET_LINKS}")

    send_letters()

    letter.refresh_from_db()
    assert mail.outbox[0].body == f"Hello\n{SECRET_LINKS}"
    assert letter.body.startswith("Hello\nhttp://ml.example.com/password/MQ/***\n")
    assert "c0ffee" not in letter.body
