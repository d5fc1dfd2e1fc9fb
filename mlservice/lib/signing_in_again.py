"""The only place that knows what htmx is told when a session has ended."""

from collections.abc import Callable
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import resolve_url
from django_htmx.http import HttpResponseClientRedirect

Respond = Callable[[HttpRequest], HttpResponseBase]


class SigningInAgainMiddleware:
    """Lead the whole window to the sign-in, which htmx would else put into a part of the page."""

    def __init__(self, get_response: Respond) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if request.headers.get("HX-Request") and leads_to_sign_in(response):
            here = urlsplit(request.headers.get("HX-Current-URL", ""))
            back = urlencode({"next": here._replace(scheme="", netloc="").geturl() or "/"})
            return HttpResponseClientRedirect(f"{resolve_url(settings.LOGIN_URL)}?{back}")
        return response


def leads_to_sign_in(response: HttpResponseBase) -> bool:
    is_redirect = isinstance(response, HttpResponse) and response.status_code == 302
    return is_redirect and urlsplit(response["Location"]).path == resolve_url(settings.LOGIN_URL)
