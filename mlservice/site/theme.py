"""The only place that knows whether a reader wants pages light, dark, or as the system has it."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from mlservice.lib.coming_back import own_address

COOKIE = "theme"
COOKIE_SECONDS = 31_536_000
THEMES = ("light", "dark")


def theme_of(request: HttpRequest) -> str:
    """Give what this browser has chosen; empty follows the system."""
    chosen = request.COOKIES.get(COOKIE, "")
    return chosen if chosen in THEMES else ""


@require_POST
def switch_theme(request: HttpRequest) -> HttpResponse:
    """Keep the choice in this browser and go back to the page it was made on."""
    response = redirect(own_address(request, request.POST.get("next", ""), otherwise="landing"))
    if (theme := request.POST.get("theme", "")) in THEMES:
        response.set_cookie(
            COOKIE,
            theme,
            max_age=COOKIE_SECONDS,
            samesite="Lax",
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
        )
    else:
        response.delete_cookie(COOKIE, samesite="Lax")
    return response
