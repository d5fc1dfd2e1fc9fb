"""The one road from an exception to an answer: problem+json under /api, pages elsewhere."""

import logging
import sys
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import override
from django.views import defaults
from rest_framework import exceptions
from rest_framework.views import set_rollback

from mlservice.lib.errors import DomainError, Unavailable
from mlservice.lib.outlasting import is_away

logger = logging.getLogger(__name__)

CODES = {
    400: "invalid_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    413: "payload_too_large",
    415: "unsupported_media_type",
    429: "rate_limited",
    503: "unavailable",
}


def is_api(request: HttpRequest) -> bool:
    return request.path == "/api" or request.path.startswith("/api/")


def problem(
    request: HttpRequest,
    *,
    status: int,
    code: str = "",
    title: str = "",
    detail: str = "",
    **extra: Any,
) -> JsonResponse:
    """Build the problem body every error under /api has."""
    title = title or HTTPStatus(status).phrase
    body = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail or title,
        "instance": request.path,
        "code": code or CODES.get(status, "error"),
        "errors": extra.pop("errors", []),
        "request_id": structlog.contextvars.get_contextvars().get("request_id", ""),
        **extra,
    }
    return JsonResponse(body, status=status, content_type="application/problem+json")


def domain_problem(request: HttpRequest, error: DomainError) -> HttpResponse:
    with override("en"):
        response = problem(
            request,
            status=error.status,
            code=error.code,
            title=str(error.title),
            detail=str(error.detail),
            **error.extra,
        )
    if error.retry_after_seconds is not None:
        response["Retry-After"] = str(error.retry_after_seconds)
    return response


def handle_exception(exc: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """Turn what a DRF view raised into a problem; None lets the middleware have it."""
    set_rollback()
    request: HttpRequest = context["request"]
    if isinstance(exc, DomainError):
        return domain_problem(request, exc)
    if isinstance(exc, Http404):
        exc = exceptions.NotFound()
    if isinstance(exc, PermissionDenied):
        exc = exceptions.PermissionDenied()
    if not isinstance(exc, exceptions.APIException):
        return None
    response = problem(request, status=exc.status_code, **describe(exc))
    if (challenge := getattr(exc, "auth_header", None)) is not None:
        response["WWW-Authenticate"] = challenge
    if (wait := getattr(exc, "wait", None)) is not None:
        response["Retry-After"] = str(int(wait) + 1)
    return response


def describe(exc: exceptions.APIException) -> dict[str, Any]:
    """Give the detail, and for a broken body one entry of `errors` per broken field."""
    if isinstance(exc, exceptions.NotAuthenticated):
        return {
            "detail": "Send an access token as `Authorization: Bearer …`;"
            " POST /api/v1/auth/token gives one."
        }
    if not isinstance(exc, exceptions.ValidationError):
        told = exc.detail
        return {"detail": str(told.get("detail", exc) if isinstance(told, dict) else told)}
    errors = list(flatten(exc.detail))
    first = errors[0]
    detail = f"{first['field']}: {first['message']}" if first["field"] else first["message"]
    return {"title": "The request is not valid", "detail": detail, "errors": errors}


def flatten(detail: Any, field: str = "") -> Any:
    """Yield {field, code, message} for every leaf of DRF's nested error detail."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            path = "" if name == "non_field_errors" else str(name)
            yield from flatten(inner, ".".join(filter(None, (field, path))))
    elif isinstance(detail, list):
        for inner in detail:
            yield from flatten(inner, field)
    else:
        yield {"field": field, "code": detail.code, "message": str(detail)}


class ProblemMiddleware:
    """Answer for what no view answers: refused pages, a database that is away, unknown paths."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if is_api(request) and response.status_code >= 400:
            return as_problem(request, response)
        return response

    def process_exception(self, request: HttpRequest, exc: Exception) -> HttpResponse | None:
        return answer(request, exc)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer for what a middleware raised, which no other middleware gets to see."""
    error = sys.exc_info()[1]
    told = answer(request, error) if isinstance(error, Exception) else None
    return told or defaults.server_error(request)


def answer(request: HttpRequest, exc: Exception) -> HttpResponse | None:
    """Say what an error means for who asked; None when it is a mistake of ours."""
    if is_away(exc):
        logger.warning("database_unavailable", extra={"error": str(exc)})
        exc = Unavailable(
            "The database does not answer. See whether your request was accepted, then try again."
        )
    if isinstance(exc, DomainError):
        return domain_problem(request, exc) if is_api(request) else domain_page(request, exc)
    if is_api(request) and isinstance(exc, RequestDataTooBig):
        return problem(request, status=413, detail="A request body is at most 1 MB.")
    if is_api(request) and isinstance(exc, SuspiciousOperation):
        return problem(request, status=400, detail=str(exc))
    return None


# Refusals that have a page of their own; the others say their title and detail.
PAGES = {"rate_limited": "429.html", "unavailable": "503.html"}


def domain_page(request: HttpRequest, error: DomainError) -> HttpResponse:
    """Show a refusal that no form caught as a page with its title and what to do."""
    page = PAGES.get(error.code, "refusal.html")
    response = render(request, page, {"error": error}, status=error.status)
    if error.retry_after_seconds is not None:
        response["Retry-After"] = str(error.retry_after_seconds)
    return response


def as_problem(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Give Django's own HTML errors under /api the one shape; leave problems as they are."""
    if response.get("Content-Type", "").startswith("application/problem+json"):
        return response
    # The log has forgotten the id by now, the answer knows it. Its other headers are the page's.
    request_id = response.get("X-Request-ID", "")
    made = problem(request, status=response.status_code, request_id=request_id)
    if request_id:
        made["X-Request-ID"] = request_id
    return made
