"""The pages on which an e-mail address is changed and confirmed."""

from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from accounts.confirming import ask_to_change, ask_to_confirm, confirm_email, find_asked
from accounts.forms import EmailForm
from accounts.mailed_links import behind_a_mailed_link
from accounts.models import User
from mlservice.lib.throttles import refuse_excess_letters


@sensitive_post_parameters("current_password")
@never_cache
@login_required
def email(request: HttpRequest) -> HttpResponse:
    """Ask for a new address and the password; the change waits for the link."""
    if request.method == "POST":
        refuse_excess_letters(request)
    form = EmailForm(request, request.POST or None)
    if not (form.is_valid() and asked(cast("User", request.user), form)):
        return render(request, "accounts/form.html", {"form": form, "back": "profile"})
    tell_sent(request, form.cleaned_data["email"])
    return redirect("profile")


def asked(user: User, form: EmailForm) -> bool:
    """Send the link; what the service refuses is said beside the field."""
    try:
        ask_to_change(user=user, email=form.cleaned_data["email"])
    except ValidationError as error:
        form.add_error(None, error)
        return False
    return True


@login_required
@require_POST
def send_confirmation(request: HttpRequest) -> HttpResponse:
    """Send the link of an unconfirmed address again."""
    refuse_excess_letters(request)
    user = cast("User", request.user)
    if user.lacks_confirmation:
        ask_to_confirm(user=user)
        tell_sent(request, user.email)
    return redirect("profile")


def tell_sent(request: HttpRequest, address: str) -> None:
    sent = _("A letter with a link goes to %(address)s, at most one in ten minutes.")
    messages.info(request, sent % {"address": address})


@behind_a_mailed_link
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """Confirm by a button, for a mail program opens links by itself."""
    user, address = find_asked(token)
    if request.method != "POST":
        return render(request, "accounts/confirm.html", {"address": address, "person": user})
    confirm_email(token=token)
    messages.success(request, _("Your e-mail is confirmed."))
    return redirect("profile")
