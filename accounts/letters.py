"""The only place that words letters about an account; each is queued in its transaction.

The event names what is told and the moment, in whole pauses: whoever asks again and again, on
however many processes, is written once a pause, for the outbox keeps one letter of an event.
"""

import time

from django.conf import settings
from django.urls import reverse
from django.utils.crypto import salted_hmac

from accounts.models import User
from mlservice.lib.mail.outbox import queue_letters, write_letter

PAUSE_MINUTES = 10


def state_of(user: User, *, key: str | None = None) -> str:
    """Give a mark that changes with address, password and signing out everywhere."""
    text = f"{user.pk}:{user.email}:{user.password}:{user.sign_outs}"
    return salted_hmac("accounts.state", text, secret=key).hexdigest()[:20]


def is_state_of(user: User, mark: str) -> bool:
    """Say whether the mark is the user's still, made with this key or with an earlier one."""
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return any(state_of(user, key=key) == mark for key in keys)


def send_confirmation(user: User, *, email: str, token: str) -> None:
    """Write to an address which its user has yet to confirm."""
    _queue(user, "confirm_email", to=email, link=reverse("confirm_email", args=[token]))


def send_reset(user: User, *, uid: str, token: str) -> None:
    """Write how to set a new password without the old one."""
    _queue(user, "reset_password", to=user.email, link=reverse("reset_password", args=[uid, token]))


def tell_password_changed(user: User) -> None:
    _queue(user, "password_changed", to=user.email, link=reverse("forgotten_password"))


def tell_email_changed(user: User, *, old_email: str) -> None:
    """Write to the address that was left, for whoever did not want it."""
    _queue(user, "email_changed", to=old_email, link=reverse("landing"))


def tell_account_closed(user: User) -> None:
    _queue(user, "account_closed", to=user.email, link=reverse("landing"))


def _queue(user: User, template: str, *, to: str, link: str) -> None:
    if not to:
        return
    pause = int(time.time()) // (PAUSE_MINUTES * 60)
    letter = write_letter(
        event=f"{template}:{user.pk}:{state_of(user)}:{pause}",
        recipient=to,
        language=user.language,
        template=template,
        context={"reader": user, "email": user.email, "link": f"{settings.SITE_URL}{link}"},
    )
    queue_letters([letter])
