"""The only place that turns a person's time zone and language into those of the page."""

from collections.abc import Callable
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation


class PersonMiddleware:
    """Show and read times in the zone of who is signed in, polled fragments included.

    The language is that which was chosen in this browser, else the one that the person keeps.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # Only a session's user is asked for: probes have none, the API has no session.
        if (
            "_auth_user_id" not in getattr(request, "session", ())
            or not request.user.is_authenticated
        ):
            return self.get_response(request)
        if settings.LANGUAGE_COOKIE_NAME not in request.COOKIES:
            # The next request's language is chosen anew, so that this one needs no end.
            translation.activate(request.user.language)
        with timezone.override(ZoneInfo(request.user.time_zone)):
            return self.get_response(request)
