"""The pages on which a client takes everything along, or closes the account."""

from typing import Any, cast

from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from accounts.closing import check_may_close, close_account
from accounts.forms import ClosingForm
from accounts.models import User
from billing.closing import check_at_rest
from billing.models import Wallet
from billing.services import wallet_of
from mlservice.lib.errors import DomainError
from mlservice.lib.throttles import refuse_excess_downloads
from mlservice.site.export import archive_of


@login_required
@require_POST
def data(request: HttpRequest) -> StreamingHttpResponse:
    """Hand out everything that is stored of who is signed in, while it is being packed."""
    refuse_excess_downloads(request)
    user = cast("User", request.user)
    name = f"ml-service-{timezone.localdate():%Y-%m-%d}.zip"
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        # A proxy would keep for a slow client what we do not.
        "X-Accel-Buffering": "no",
    }
    pieces = archive_of(user.pk, request)
    return StreamingHttpResponse(pieces, content_type="application/zip", headers=headers)


@sensitive_post_parameters("current_password")
@never_cache
@login_required
def close(request: HttpRequest) -> HttpResponse:
    """Close the account for good, with the password and the loss agreed to."""
    user = cast("User", request.user)
    wallet = wallet_of(user.pk)
    form = ClosingForm(request, request.POST or None, **asked_of(wallet))
    refusal = refusal_of(user, form) if form.is_valid() else obstacle(user, wallet)
    if refusal is None and form.is_valid():
        logout(request)
        messages.success(request, _("Your account is closed. Good-bye!"))
        return redirect("landing")
    if refusal is not None:
        wallet.refresh_from_db()
        form = ClosingForm(request, **asked_of(wallet))
    context = {"form": form, "refusal": refusal, "is_possible": obstacle(user, wallet) is None}
    return render(request, "site/close_account.html", context)


def asked_of(wallet: Wallet) -> dict[str, Any]:
    """Say what the client has to agree to, with the credits that would be lost now."""
    left = wallet.available
    agreement = _("I close my account for good.")
    if left:
        agreement = ngettext(
            "I give up %(left)s credit and close my account for good.",
            "I give up %(left)s credits and close my account for good.",
            left,
        ) % {"left": number_format(left, force_grouping=True)}
    return {"agreement": agreement, "initial": {"credits_lost": left}}


def obstacle(user: User, wallet: Wallet) -> DomainError | None:
    """Give what stands in the way of closing now, before anybody types a password for nothing."""
    try:
        check_may_close(user)
        check_at_rest(wallet)
    except DomainError as refusal:
        return refusal
    return None


def refusal_of(user: User, form: ClosingForm) -> DomainError | None:
    """Close the account, of which a duty then removes what was sent; give what refused it."""
    try:
        close_account(user_id=user.pk, credits_lost=form.cleaned_data["credits_lost"])
    except DomainError as refusal:
        return refusal
    return None
