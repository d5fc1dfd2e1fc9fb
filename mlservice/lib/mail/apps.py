"""The name under which Django knows the mail that waits."""

from django.apps import AppConfig
from django.core.checks import Tags, register
from django.utils.translation import gettext_lazy as _

from mlservice.lib.mail.checks import letters_stay_out_of_the_log


class MailConfig(AppConfig):
    name = "mlservice.lib.mail"
    label = "mail"
    verbose_name = _("Mail")

    def ready(self) -> None:
        register(letters_stay_out_of_the_log, Tags.security, deploy=True)
