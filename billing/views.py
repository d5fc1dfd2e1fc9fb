"""The pages on which a client sees and buys credits."""

from decimal import Decimal

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from billing.forms import CapForm, TopUpForm
from billing.models import LedgerEntry, TopUp
from billing.services import set_spending_cap, wallet_of
from billing.statements import csv_response, month_after, month_before, month_of, statement
from billing.top_ups import start_top_up
from mlservice.lib.errors import DomainError
from mlservice.lib.idempotency import form_key
from mlservice.lib.pagination import page_of

ENTRIES_PER_PAGE = 25
TOP_UPS_SHOWN = 10
EXAMPLE_CREDITS = 1_000


@login_required
def wallet(request: HttpRequest) -> HttpResponse:
    purse = wallet_of(request.user.pk)
    context = {
        "wallet": purse,
        "page": page_of(purse.entries.all(), request.GET, ENTRIES_PER_PAGE),
        "top_ups": purse.top_ups.order_by("-id")[:TOP_UPS_SHOWN],
    }
    return render(request, "billing/wallet.html", context)


@login_required
def top_up(request: HttpRequest) -> HttpResponse:
    form = TopUpForm(request.POST or None)
    started = begun(request, form) if form.is_valid() else None
    if started is None:
        return render(request, "billing/top_up.html", {"form": form, **price_example()})
    if started.status == TopUp.Status.PAID:
        messages.success(request, _("Your credits are in the wallet."))
    elif started.payable_at:
        messages.info(request, _("Follow “Pay” beside the top-up; credits come with the payment."))
    else:
        messages.info(request, _("The top-up waits for the operator. Credits follow on approval."))
    return redirect("wallet")


@login_required
def wallet_statement(request: HttpRequest, month: str) -> HttpResponseBase:
    """Show a month of the wallet, to read and to print; `?format=csv` hands out all entries."""
    shown = statement(wallet=wallet_of(request.user.pk), month=month_of(month))
    if request.GET.get("format") == "csv":
        return csv_response(shown)
    context = {
        "statement": shown,
        "totals": [(LedgerEntry.Kind(kind).label, sum_) for kind, sum_ in shown.totals.items()],
        "page": page_of(shown.entries, request.GET, ENTRIES_PER_PAGE),
        "earlier": month_before(shown.month),
        "later": month_after(shown.month),
    }
    return render(request, "billing/statement.html", context)


@login_required
def cap(request: HttpRequest) -> HttpResponse:
    """Let the client limit what a month may cost."""
    purse = wallet_of(request.user.pk)
    form = CapForm(request.POST or None, initial={"spending_cap": purse.spending_cap})
    if form.is_valid():
        set_spending_cap(wallet_id=purse.pk, cap=form.cleaned_data["spending_cap"])
        messages.success(request, _("The cap is set."))
        return redirect("wallet")
    return render(request, "billing/cap.html", {"form": form})


def begun(request: HttpRequest, form: TopUpForm) -> TopUp | None:
    """Begin the top-up that the form asks for; a refusal is said at the form."""
    try:
        return start_top_up(
            wallet=wallet_of(request.user.pk),
            key=form_key(request.POST.get("nonce", ""), form.cleaned_data),
            **form.cleaned_data,
        )
    except DomainError as refusal:
        form.add_error(None, refusal.detail)
        return None


def price_example() -> dict[str, object]:
    """Say what a round number of credits costs, in the currency's whole units."""
    return {
        "example_credits": EXAMPLE_CREDITS,
        "example_price": Decimal(EXAMPLE_CREDITS * settings.CREDIT_PRICE_CENTS) / 100,
        "currency": settings.CURRENCY,
    }
