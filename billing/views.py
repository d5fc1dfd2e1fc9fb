"""The pages on which a client sees and buys credits."""

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from billing.forms import CapForm, ThresholdForm, TopUpForm
from billing.low_balance import dismiss_low_balance, set_low_balance_threshold
from billing.models import LedgerEntry, TopUp
from billing.providers import enabled, what_next
from billing.receipts import price, receipt_of
from billing.services import set_spending_cap, wallet_of
from billing.statements import csv_response, month_after, month_before, month_of, statement
from billing.top_ups import start_top_up
from mlservice.lib.coming_back import own_address
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
        context = {"form": form, "providers": enabled().values(), **price_example()}
        return render(request, "billing/top_up.html", context)
    if started.status == TopUp.Status.PAID:
        messages.success(request, _("Your credits are in the wallet."))
        return redirect(own_address(request, request.GET.get("next", ""), otherwise="wallet"))
    if started.payable_at:
        return redirect("top_up_page", started.pk)
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
@require_safe
def top_up_page(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show one's own top-up: what it is for, where it stands and what the operator noted."""
    shown = get_object_or_404(TopUp, pk=pk, wallet__user=request.user.pk)
    context = {
        "top_up": shown,
        "price": price(shown.cents, shown.currency),
        "what_next": what_next(shown),
    }
    return render(request, "billing/top_up_page.html", context)


@login_required
@require_safe
def receipt(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show what was paid for one's own top-up, to read and to print."""
    paid = get_object_or_404(TopUp, pk=pk, wallet__user=request.user.pk)
    shown = receipt_of(paid)
    if shown is None:
        raise Http404
    context = {"receipt": shown, "top_up": paid, "price": price(paid.cents, paid.currency)}
    return render(request, "billing/receipt.html", context)


@login_required
def low_balance(request: HttpRequest) -> HttpResponse:
    """Let the client say when to be warned."""
    purse = wallet_of(request.user.pk)
    first = {"low_balance_threshold": purse.low_balance_threshold}
    form = ThresholdForm(request.POST or None, initial=first)
    if form.is_valid():
        threshold = form.cleaned_data["low_balance_threshold"]
        set_low_balance_threshold(wallet_id=purse.pk, threshold=threshold)
        messages.success(request, _("The warning is set."))
        return redirect("wallet")
    return render(request, "billing/limit.html", {"form": form})


@login_required
@require_POST
def low_balance_seen(request: HttpRequest) -> HttpResponse:
    """Put the warning away, and go on where it was shown."""
    dismiss_low_balance(wallet_id=wallet_of(request.user.pk).pk)
    return redirect("dashboard" if request.POST.get("from") == "dashboard" else "wallet")


@login_required
def cap(request: HttpRequest) -> HttpResponse:
    """Let the client limit what a month may cost."""
    purse = wallet_of(request.user.pk)
    form = CapForm(request.POST or None, initial={"spending_cap": purse.spending_cap})
    if form.is_valid():
        set_spending_cap(wallet_id=purse.pk, cap=form.cleaned_data["spending_cap"])
        messages.success(request, _("The cap is set."))
        return redirect("wallet")
    return render(request, "billing/limit.html", {"form": form})


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
    """Say what a round number of credits costs."""
    cents = EXAMPLE_CREDITS * settings.CREDIT_PRICE_CENTS
    return {
        "example_credits": EXAMPLE_CREDITS,
        "example_price": price(cents, settings.CURRENCY),
    }
