"""The only place that sets passwords after sign-up; a new one ends all sessions and tokens."""

from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.tokens import default_token_generator
from django.db import transaction
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode

from accounts import letters
from accounts.errors import LinkNotGood
from accounts.models import User


def change_password(*, user: User, password: str) -> None:
    """Set a new password and write so to the user. Raise ValidationError for a weak one."""
    validate_password(password, user)
    user.set_password(password)
    with transaction.atomic():
        user.save(update_fields=["password"])
        letters.tell_password_changed(user)


def send_reset_link(*, email: str) -> None:
    """Write to whoever has the address; say nothing of whether there is anybody.

    It goes to the address as it is kept: another spelling may be another mailbox.
    """
    user = User.objects.filter(email__iexact=email, is_active=True).exclude(email="").first()
    if user is None or not user.has_usable_password():
        return
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    letters.send_reset(user, uid=uid, token=default_token_generator.make_token(user))


def find_reset(*, uid: str, token: str) -> User:
    """Give the user of a link that was not used and is not too old. Raise LinkNotGood."""
    try:
        user = User.objects.filter(pk=int(urlsafe_base64_decode(uid)), is_active=True).first()
    except (ValueError, OverflowError) as error:
        raise LinkNotGood from error
    if user is None or not default_token_generator.check_token(user, token):
        raise LinkNotGood
    return user


def reset_password(*, uid: str, token: str, password: str) -> User:
    """Set a new password by a link, once; who could read the link has confirmed the address.

    Raise LinkNotGood, or ValidationError for a weak password.
    """
    with transaction.atomic():
        pk = find_reset(uid=uid, token=token).pk
        User.objects.select_for_update(no_key=True).get(pk=pk)
        # Its twin may have used the link while this one waited.
        user = find_reset(uid=uid, token=token)
        validate_password(password, user)
        user.set_password(password)
        user.email_confirmed_at = user.email_confirmed_at or timezone.now()
        user.save(update_fields=["password", "email_confirmed_at"])
        letters.tell_password_changed(user)
    return user
