"""Every write on people."""

from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F

from accounts.confirming import ask_to_confirm
from accounts.models import User
from billing.services import open_wallet


def register_user(*, username: str, email: str, password: str, **fields: Any) -> User:
    """Create a user, open the wallet and ask to confirm the address, in one transaction.

    Raise ValidationError, keyed by field, for a taken name or e-mail or a weak password.
    """
    user = User(username=username, email=User.objects.normalize_email(email), **fields)
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise ValidationError({"password": error.messages}) from error
    user.set_password(password)
    user.full_clean()
    try:
        with transaction.atomic():
            user.save()
            open_wallet(user_id=user.pk)
            if user.lacks_confirmation:
                ask_to_confirm(user=user)
    except IntegrityError:
        # Somebody registered the name a moment ago: say so as for any taken name.
        user.pk = None
        user.full_clean()
        raise
    return user


def change_profile(
    *, user: User, language: str, time_zone: str, first_name: str = "", last_name: str = ""
) -> User:
    """Set the names, the language and the time zone pages are shown in."""
    user.language, user.time_zone = language, time_zone
    user.first_name, user.last_name = first_name, last_name
    user.full_clean()
    user.save(update_fields=["language", "time_zone", "first_name", "last_name"])
    return user


def keep_language(*, user: User, language: str) -> None:
    """Remember the language a user chose, for other browsers and for letters."""
    User.objects.filter(pk=user.pk).update(language=User.Language(language))


def sign_out_everywhere(*, user: User) -> None:
    """End every session and every token of a user, this browser's as well."""
    User.objects.filter(pk=user.pk).update(sign_outs=F("sign_outs") + 1)
