"""The person behind everything: a user with a unique name and a unique e-mail."""

from collections.abc import Iterator
from zoneinfo import available_timezones

from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _


def validate_time_zone(name: str) -> None:
    """Raise ValidationError for a name that the time zone database does not know."""
    if name not in available_timezones():
        raise ValidationError(_("There is no such time zone. Write one like Europe/Moscow."))


class User(AbstractUser):
    """A client or an operator (`is_staff`); name and e-mail are unique without regard to case.

    Sessions and tokens carry `sign_outs`: one more ends all of them at once. Closing the account
    sets `has_data_to_remove`, until a duty has removed what was sent.
    """

    class Language(models.TextChoices):
        ENGLISH = "en", "English"
        RUSSIAN = "ru", "Русский"

    email = models.EmailField(_("e-mail"))
    language = models.CharField(
        _("language"), max_length=2, choices=Language.choices, default=Language.ENGLISH
    )
    time_zone = models.CharField(
        _("time zone"), max_length=64, default="UTC", validators=[validate_time_zone]
    )

    email_confirmed_at = models.DateTimeField(_("e-mail confirmed"), null=True, editable=False)
    sign_outs = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    has_data_to_remove = models.BooleanField(default=False, db_default=False, editable=False)

    class Meta(AbstractUser.Meta):
        constraints = [
            models.UniqueConstraint(
                Lower("username"),
                name="user_name_unique",
                violation_error_message=_("This user name is taken."),
            ),
            models.UniqueConstraint(
                Lower("email"),
                name="user_email_unique",
                violation_error_message=_("This e-mail is registered already."),
            ),
        ]
        indexes = [
            models.Index(
                fields=["id"],
                condition=models.Q(has_data_to_remove=True),
                name="user_data_to_remove",
            ),
        ]

    def get_session_auth_hash(self) -> str:
        return f"{super().get_session_auth_hash()}{self._sign_outs_mark}"

    def get_session_auth_fallback_hash(self) -> Iterator[str]:
        return (
            f"{kept}{self._sign_outs_mark}" for kept in super().get_session_auth_fallback_hash()
        )

    @property
    def _sign_outs_mark(self) -> str:
        """Give nothing before the first time, so that older sessions live on."""
        return f":{self.sign_outs}" if self.sign_outs else ""

    @property
    def lacks_confirmation(self) -> bool:
        return bool(self.email) and self.email_confirmed_at is None
