"""What stands between a request and its view: the log, and which way pages and the API go.

What pages alone need takes longer than the rest of the API's way.
"""

import re
from typing import Any
from uuid import uuid4

from csp.constants import HEADER
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django_structlog.middlewares.request import RequestMiddleware, logger
from structlog.contextvars import bind_contextvars, clear_contextvars

from mlservice.lib.addresses import client_address

API = "/api/v1/"
SENT_ID = "HTTP_X_REQUEST_ID"
# What the column of a prediction has room for, and a line of a log may hold.
REQUEST_ID = re.compile(r"[\w.:-]{1,64}", flags=re.ASCII)
# Nothing that the API answers is a document with parts.
API_POLICY = "default-src 'none'; frame-ancestors 'none'"


def is_of_the_api(request: HttpRequest) -> bool:
    return request.path_info.startswith(API)


def way_after_the_join(handler: Any) -> Any:
    """Find in a chain of middleware what `ApiJoins` hands requests to."""
    while not isinstance(handler.__wrapped__, ApiJoins):
        handler = handler.__wrapped__.get_response
    return handler.__wrapped__.get_response


class ApiLeaves:
    """From here the API goes past what stands above `ApiJoins`: all that pages alone need.

    It has no session, no language but English, no messages and nothing that a browser would run.
    """

    def __init__(self, get_response: Any) -> None:
        self.get_response, self.of_the_api = get_response, way_after_the_join(get_response)

    def __call__(self, request: HttpRequest) -> Any:
        if not is_of_the_api(request):
            return self.get_response(request)
        response = self.in_english(request)
        response[HEADER] = API_POLICY
        return response

    def in_english(self, request: HttpRequest) -> Any:
        if translation.get_language() == settings.LANGUAGE_CODE:
            return self.of_the_api(request)
        # A page has left its thread speaking the language of its reader.
        with translation.override(settings.LANGUAGE_CODE):
            return self.of_the_api(request)


class ApiJoins:
    """What follows is for pages and for the API.

    What a middleware above answers by itself, or raises, has no place in the log and no id.
    """

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> Any:
        return self.get_response(request)


class RequestLog(RequestMiddleware):
    """Logs each request with its id, its user and the address that our own proxies saw.

    The id is the proxy's where that is one; the answer names it.
    """

    def prepare(self, request: HttpRequest) -> None:
        if not REQUEST_ID.fullmatch(request.META.get(SENT_ID, "")):
            request.META[SENT_ID] = str(uuid4())
            # Whoever looked at them before has kept what was sent.
            request.__dict__.pop("headers", None)
        if not is_of_the_api(request):
            super().prepare(request)
            return
        # Of whom a request of the API is, nothing is known before its view: not whom the thread
        # may have spoken of before.
        bind_contextvars(request_id=request.META[SENT_ID], ip=client_address(request), user_id=None)
        agent = request.META.get("HTTP_USER_AGENT")
        logger.info("request_started", request=self.format_request(request), user_agent=agent)

    def handle_response(self, request: HttpRequest, response: HttpResponse) -> None:
        response["X-Request-ID"] = request.META[SENT_ID]
        is_whole = not response.streaming and not hasattr(request, "_raised_exception")
        if not is_of_the_api(request) or not is_whole:
            super().handle_response(request, response)
            return
        level = self._log_level_for_status_code(response.status_code)
        said = {"code": response.status_code, "request": self.format_request(request)}
        logger.log(level, "request_finished", user_id=user_id_of(request), **said)
        clear_contextvars()

    @classmethod
    def bind_ip(cls, request: HttpRequest) -> None:
        bind_contextvars(ip=client_address(request))


def user_id_of(request: HttpRequest) -> int | None:
    """Name the user whom a view of the API has found in a request."""
    user = getattr(request, "user", None)
    return None if user is None else user.pk
