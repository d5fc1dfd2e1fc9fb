"""What accounts refuses."""

from django.utils.translation import gettext_lazy as _

from mlservice.lib.errors import DomainError


class LinkNotGood(DomainError):
    status = 410
    code = "link_not_good"
    title = _("This link is not good any more")
    sentence = _("It was used already, is too old, or was replaced. Ask for a new one.")


class OperatorsStay(DomainError):
    status = 409
    code = "operators_stay"
    title = _("An operator's account is not closed here")
    sentence = _("Another operator takes the rights away first; then it can be closed.")


class AlreadyClosed(DomainError):
    status = 409
    code = "already_finished"
    title = _("This account is closed or disabled already")
