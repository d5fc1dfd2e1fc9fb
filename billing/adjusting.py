"""The operators' page on which money is granted, corrected or given back."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from billing.adjustments import adjust
from billing.errors import BalanceTooHigh, BalanceTooLow, InvalidAmount, RefundTooLarge
from billing.models import MAX_AMOUNT, Hold, PendingAdjustment, Wallet
from mlservice.lib.errors import DomainError
from mlservice.lib.ids import new_id

Kind = PendingAdjustment.Kind
MAY_ADJUST = "billing.add_pendingadjustment"
ABOUT_THE_AMOUNT = (BalanceTooHigh, BalanceTooLow, InvalidAmount, RefundTooLarge)


class AdjustmentForm(forms.Form):
    """What an operator decides; the hidden id makes a double click one adjustment."""

    id = forms.UUIDField(widget=forms.HiddenInput)
    kind = forms.ChoiceField(label=gettext_lazy("Kind"))
    amount = forms.IntegerField(
        label=gettext_lazy("Credits"),
        min_value=-MAX_AMOUNT,
        max_value=MAX_AMOUNT,
        widget=UnfoldAdminIntegerFieldWidget,
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason"), max_length=200, widget=UnfoldAdminTextInputWidget
    )

    def __init__(self, *args: Any, kinds: Mapping[Kind, Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["kind"] = forms.ChoiceField(
            label=_("Kind"), choices=list(kinds.items()), widget=UnfoldAdminSelectWidget
        )

    def clean(self) -> dict[str, Any]:
        """Refuse, at its field, an amount that its kind of adjustment cannot have."""
        wanted = super().clean() or {}
        amount, is_correction = wanted.get("amount"), wanted.get("kind") == Kind.CORRECTION
        if amount is not None and (amount == 0 or (amount < 0 and not is_correction)):
            self.add_error(
                "amount", _("Write 1 or more; only a correction may be negative, and none is 0.")
            )
        return wanted


def adjustment_page(
    request: HttpRequest, site: AdminSite, *, wallet: Wallet, hold: Hold | None = None
) -> HttpResponse:
    """Show the form for a wallet, or for the hold to give back, and do what it says."""
    if not request.user.has_perm(MAY_ADJUST):
        raise PermissionDenied
    kinds = {Kind.REFUND: Kind.REFUND.label} if hold else without_refund()
    first = {"id": new_id(), "amount": hold.captured if hold else None}
    form = AdjustmentForm(request.POST or None, kinds=kinds, initial=first)
    if form.is_valid() and carry_out(request, form, wallet=wallet, hold=hold):
        return redirect("admin:billing_wallet_changelist")
    context = {
        **site.each_context(request),
        "title": _("Adjust the wallet of %(user)s") % {"user": wallet.user},
        "form": form,
        "wallet": wallet,
        "hold": hold,
    }
    return render(request, "admin/billing/adjust.html", context)


def without_refund() -> dict[Kind, Any]:
    return {kind: kind.label for kind in Kind if kind != Kind.REFUND}


def carry_out(
    request: HttpRequest, form: AdjustmentForm, *, wallet: Wallet, hold: Hold | None
) -> bool:
    """Do what the form says and tell what became of it; a refusal is said at the form."""
    wanted = dict(form.cleaned_data)
    adjustment_id: UUID = wanted.pop("id")
    try:
        waiting = adjust(
            **wanted,
            wallet_id=wallet.pk,
            hold_id=hold.pk if hold else None,
            actor_id=int(request.user.pk or 0),
            adjustment_id=adjustment_id,
        )
    except DomainError as refusal:
        field = "amount" if isinstance(refusal, ABOUT_THE_AMOUNT) else None
        form.add_error(field, refusal.detail)
        return False
    if waiting:
        messages.warning(request, _("It is large, so it waits for a second operator."))
    else:
        messages.success(request, _("Done: the ledger has a new entry."))
    return True
