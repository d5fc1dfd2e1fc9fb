"""The name under which Django knows the mail that waits."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MailConfig(AppConfig):
    name = "mlservice.lib.mail"
    label = "mail"
    verbose_name = _("Mail")
