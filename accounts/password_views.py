"""The pages on which a password is changed, or set anew when it was forgotten."""

from typing import cast

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from accounts.forms import ForgottenForm, PasswordForm, ResetForm
from accounts.mailed_links import behind_a_mailed_link
from accounts.models import User
from accounts.passwords import change_password, find_reset, reset_password, send_reset_link
from mlservice.lib.throttles import refuse_excess_letters

FORM_PAGE = "accounts/form.html"


@sensitive_post_parameters()
@never_cache
@login_required
def password(request: HttpRequest) -> HttpResponse:
    """Change the password and stay signed in here, and only here."""
    form = PasswordForm(request, request.POST or None)
    user = cast("User", request.user)
    if not (form.is_valid() and changed(user, form)):
        return render(request, FORM_PAGE, {"form": form, "back": "profile"})
    update_session_auth_hash(request, user)
    messages.success(request, _("Your password is changed."))
    return redirect("profile")


def changed(user: User, form: PasswordForm) -> bool:
    """Change the password; what the service refuses is said beside the field."""
    try:
        change_password(user=user, password=form.cleaned_data["password"])
    except ValidationError as error:
        form.add_error("password", error)
        return False
    return True


@never_cache
def forgotten_password(request: HttpRequest) -> HttpResponse:
    """Send a link to an address, and answer the same whether anybody has it."""
    if request.method == "POST":
        refuse_excess_letters(request)
    form = ForgottenForm(request.POST or None)
    if form.is_valid():
        send_reset_link(email=form.cleaned_data["email"])
        return render(request, "accounts/link_sent.html", form.cleaned_data)
    return render(request, FORM_PAGE, {"form": form, "back": "sign_in"})


@sensitive_post_parameters()
@behind_a_mailed_link
def reset(request: HttpRequest, uid: str, token: str) -> HttpResponse:
    """Set a new password by a link; signing in with it is as guarded as ever."""
    find_reset(uid=uid, token=token)
    form = ResetForm(request.POST or None)
    if not (form.is_valid() and was_reset(uid, token, form)):
        return render(request, FORM_PAGE, {"form": form, "back": "sign_in"})
    messages.success(request, _("Your new password is set. Sign in with it."))
    return redirect("sign_in")


def was_reset(uid: str, token: str, form: Form) -> bool:
    try:
        reset_password(uid=uid, token=token, password=form.cleaned_data["password"])
    except ValidationError as error:
        form.add_error("password", error)
        return False
    return True
