"""The demo payment: it pays at once, and the settings refuse it outside demo mode."""

from django.utils.translation import gettext_lazy as _

from billing.models import TopUp
from billing.services import pay_top_up


class Demo:
    title = _("Demo payment, paid at once")
    what_next = _("Nothing is really paid: the credits are in the wallet at once.")

    def accept(self, top_up: TopUp) -> None:
        pay_top_up(top_up_id=top_up.pk, note="Demo payment")

    def open_checkout(self, top_up: TopUp) -> None:
        """There is nothing to open."""
