"""The payment by invoice: it waits until an operator approves or rejects it in the admin."""

from django.utils.translation import gettext_lazy as _

from billing import letters
from billing.models import TopUp


class Manual:
    title = _("Invoice, approved by the operator")
    what_next = _(
        "The operator is told of your request. The credits come when it is approved, and an "
        "e-mail tells you so; there is nothing to do here meanwhile."
    )

    def accept(self, top_up: TopUp) -> None:
        letters.tell_operators(top_up)

    def open_checkout(self, top_up: TopUp) -> None:
        """There is nothing to open."""
