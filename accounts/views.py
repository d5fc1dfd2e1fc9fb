"""The pages on which people come, go and describe themselves."""

from typing import cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login, logout
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST
from django.views.i18n import set_language

from accounts.forms import ProfileForm, SignInForm, SignUpForm
from accounts.models import User
from accounts.services import (
    change_profile,
    keep_language,
    register_user,
    sign_out_everywhere,
)
from billing.services import wallet_of
from mlservice.lib.coming_back import own_address
from mlservice.lib.throttles import refuse_excess_registrations

BACKEND = "django.contrib.auth.backends.ModelBackend"
LANGUAGE_COOKIE_SECONDS = 31_536_000


@sensitive_post_parameters("password")
@never_cache
def sign_up(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        return redirect(next_address(request))
    if request.method == "POST":
        refuse_excess_registrations(request)
    form = SignUpForm(request.POST or None)
    user = registered(form) if form.is_valid() else None
    if user is None:
        return render(request, "accounts/sign_up.html", {"form": form})
    login(request, user, backend=BACKEND)
    messages.success(request, _("Your account is open."))
    return redirect(first_address(request, user))


def registered(form: SignUpForm) -> User | None:
    """Register who filled the form; what the service refuses is said beside the fields."""
    try:
        return register_user(**form.cleaned_data, language=get_language())
    except ValidationError as error:
        form.add_error(None, error)
        return None


@sensitive_post_parameters("password")
@never_cache
def sign_in(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        return redirect(next_address(request))
    form = SignInForm(request, request.POST or None)
    if form.is_valid():
        user = form.get_user()
        login(request, user)
        return speaking(language_of(request, user), redirect(next_address(request)))
    return render(request, "accounts/sign_in.html", {"form": form})


def language_of(request: HttpRequest, user: User) -> str:
    """Give the language chosen in this browser, and remember it; else the one that is kept."""
    chosen = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME)
    if chosen not in User.Language.values:
        return user.language
    keep_language(user=user, language=chosen)
    return chosen


def next_address(request: HttpRequest) -> str:
    """Give the address the visitor was on the way to, if it lies on this site."""
    asked = request.GET.get("next", "")
    return own_address(request, asked, otherwise=settings.LOGIN_REDIRECT_URL)


def first_address(request: HttpRequest, user: User) -> str:
    """Lead a newcomer whose wallet is empty past the top-up, and from there to a model."""
    if wallet_of(user.pk).available:
        return next_address(request)
    going_on = own_address(request, request.GET.get("next", ""), otherwise="prediction_new")
    return reverse("top_up", query={"next": going_on})


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect(settings.LOGOUT_REDIRECT_URL)


@login_required
@require_POST
def sign_out_of_all(request: HttpRequest) -> HttpResponse:
    """End every session and token of who is signed in, this one too."""
    sign_out_everywhere(user=cast("User", request.user))
    logout(request)
    messages.success(request, _("You are signed out everywhere."))
    return redirect(settings.LOGOUT_REDIRECT_URL)


def switch_language(request: HttpRequest) -> HttpResponse:
    """Speak another language from here on, and remember it of who is signed in."""
    language = request.POST.get("language")
    if request.user.is_authenticated and language in User.Language.values:
        keep_language(user=request.user, language=language)
    return set_language(request)


@login_required
def profile(request: HttpRequest) -> HttpResponse:
    user = cast("User", request.user)
    # The footer's switch may have chosen another language than the one kept.
    current = {
        "first_name": user.first_name,
        "last_name": user.last_name,
        "language": get_language(),
        "time_zone": user.time_zone,
    }
    form = ProfileForm(request.POST or None, initial=current)
    if not form.is_valid():
        return render(request, "accounts/profile.html", {"form": form})
    change_profile(user=user, **form.cleaned_data)
    with override(user.language):
        messages.success(request, _("Your profile is saved."))
    return speaking(user.language, redirect("profile"))


def speaking(language: str, response: HttpResponse) -> HttpResponse:
    """Let the pages of this browser speak a person's language."""
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=LANGUAGE_COOKIE_SECONDS,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
    )
    return response
