"""The operators' page on which top-ups that wait are approved or rejected, with a note."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminTextInputWidget

from billing.models import TopUp
from billing.top_ups import approve_top_up, decline_top_up
from mlservice.lib.admin import ReadOnlyAdmin

AT_ONCE = 100
DECISIONS: dict[str, Callable[..., TopUp]] = {"approve": approve_top_up, "reject": decline_top_up}
TITLES = {"approve": gettext_lazy("Approve top-ups"), "reject": gettext_lazy("Reject top-ups")}


class NoteForm(forms.Form):
    """What the client is told with the decision."""

    note = forms.CharField(
        label=gettext_lazy("Note to the client"),
        max_length=200,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("It stands in the wallet, in the API and in the mail."),
    )


def decision_page(
    page: ReadOnlyAdmin, request: HttpRequest, rows: QuerySet[TopUp], decision: str
) -> HttpResponse | None:
    """Ask for the note, then decide each chosen top-up; None sends back to the list."""
    # What is shown is what is decided: rows that come meanwhile are not in it.
    chosen = list(rows.order_by("pk")[: AT_ONCE + 1])
    if len(chosen) > AT_ONCE:
        text = _("Choose at most %d top-ups at once.") % AT_ONCE
        page.message_user(request, text, messages.ERROR)
        return None
    form = NoteForm(request.POST if "decided" in request.POST else None)
    form.fields["note"].required = decision == "reject"
    if not form.is_valid():
        return render(request, "admin/billing/decide.html", context(page, request, chosen, form))
    decide, note = DECISIONS[decision], form.cleaned_data["note"]
    operator_id = int(request.user.pk or 0)

    def settle(top_up: TopUp) -> None:
        decide(top_up_id=top_up.pk, note=note, actor_id=operator_id)

    done = _("approved") if decision == "approve" else _("rejected")
    page.each(request, chosen, settle, done)
    return None


def context(
    page: ReadOnlyAdmin, request: HttpRequest, chosen: list[TopUp], form: NoteForm
) -> dict[str, Any]:
    decision = request.POST["action"]
    return {
        **page.admin_site.each_context(request),
        "title": TITLES[decision],
        "decision": decision,
        "chosen": chosen,
        "form": form,
    }
