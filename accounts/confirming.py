"""The only place that asks whether an address is its user's, and hears the answer.

The link carries the address and the state of its user, signed: after a change of address or of
password, or after signing out everywhere, older links are good for nothing.
"""

from datetime import timedelta

from django.core import signing
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from accounts import letters
from accounts.errors import LinkNotGood
from accounts.models import User

SALT = "accounts.confirm_email"
GOOD_FOR = timedelta(days=7)


def ask_to_confirm(*, user: User, email: str = "") -> None:
    """Send a link to the user's address, or to one that is to replace it."""
    email = email or user.email
    token = signing.dumps([user.pk, email, letters.state_of(user)], salt=SALT)
    letters.send_confirmation(user, email=email, token=token)


def ask_to_change(*, user: User, email: str) -> None:
    """Send a link to a new address; the old one stays until the link is used.

    Raise ValidationError, keyed by field, for an address that somebody has.
    """
    email = User.objects.normalize_email(email)
    if User.objects.filter(email__iexact=email).exclude(pk=user.pk).exists():
        raise ValidationError({"email": _("This e-mail is registered already.")})
    ask_to_confirm(user=user, email=email)


def find_asked(token: str) -> tuple[User, str]:
    """Give the user of a link and the address it confirms. Raise LinkNotGood."""
    try:
        pk, email, state = signing.loads(token, salt=SALT, max_age=GOOD_FOR)
    except signing.BadSignature as error:
        raise LinkNotGood from error
    user = User.objects.filter(pk=pk, is_active=True).first()
    if user is None or not letters.is_state_of(user, state):
        raise LinkNotGood
    return user, email


def confirm_email(*, token: str) -> User:
    """Take the link's address as its user's own, and tell the one that it replaces.

    Raise LinkNotGood, also when somebody registered the address meanwhile.
    """
    with transaction.atomic():
        pk = find_asked(token)[0].pk
        User.objects.select_for_update(no_key=True).get(pk=pk)
        # What was read before the lock may have changed while it was waited for.
        user, email = find_asked(token)
        old_email = user.email
        try:
            with transaction.atomic():
                User.objects.filter(pk=pk).update(email=email, email_confirmed_at=Now())
        except IntegrityError as error:
            raise LinkNotGood from error
        user.refresh_from_db()
        if email != old_email:
            letters.tell_email_changed(user, old_email=old_email)
    return user
