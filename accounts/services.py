"""Every write on people."""

from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from accounts.models import User
from billing.services import open_wallet


def register_user(*, username: str, email: str, password: str, **fields: Any) -> User:
    """Create a user and open the wallet in one transaction.

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
    except IntegrityError:
        # Somebody registered the name a moment ago: say so as for any taken name.
        user.pk = None
        user.full_clean()
        raise
    return user


def change_profile(*, user: User, language: str, time_zone: str) -> User:
    """Set the language and the time zone pages are shown in."""
    user.language, user.time_zone = language, time_zone
    user.full_clean()
    user.save(update_fields=["language", "time_zone"])
    return user
