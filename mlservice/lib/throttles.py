"""Limits on what costs more than a request, shared by pages and their API twins."""

from typing import TYPE_CHECKING, Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from rest_framework.throttling import SimpleRateThrottle

from mlservice.lib.addresses import client_address
from mlservice.lib.errors import DomainError

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise


class RateLimited(DomainError):
    status = 429
    code = "rate_limited"
    title = _("Too many requests, try again later")


class RegistrationThrottle(SimpleRateThrottle):
    """So many new accounts from one address, by form and by API together."""

    scope = "register"

    def get_cache_key(self, request: Any, view: Any) -> str:
        return f"register:{client_address(request)}"


class LetterThrottle(SimpleRateThrottle):
    """So many letters asked for from one address, whoever they go to."""

    scope = "letters"

    def get_cache_key(self, request: Any, view: Any) -> str:
        return f"letters:{client_address(request)}"


class DownloadThrottle(SimpleRateThrottle):
    """So many downloads of everything by one user."""

    scope = "download"

    def get_cache_key(self, request: Any, view: Any) -> str:
        return f"download:{request.user.pk}"


def refuse_excess_registrations(request: HttpRequest) -> None:
    """Raise RateLimited when this address has opened too many accounts lately."""
    refusal = _("Too many accounts were opened from here. Try again later.")
    _refuse_excess(RegistrationThrottle(), request, refusal)


def refuse_excess_letters(request: HttpRequest) -> None:
    """Raise RateLimited when too many letters were asked for from this address lately."""
    refusal = _("Too many letters were asked for from here. Try again later.")
    _refuse_excess(LetterThrottle(), request, refusal)


def refuse_excess_downloads(request: HttpRequest) -> None:
    """Raise RateLimited when this user has downloaded everything too often lately."""
    _refuse_excess(DownloadThrottle(), request, _("You have just downloaded it. Try again later."))


def _refuse_excess(
    throttle: SimpleRateThrottle, request: HttpRequest, refusal: "_StrOrPromise"
) -> None:
    if not throttle.allow_request(request, None):  # type: ignore[arg-type]
        limited = RateLimited(refusal)
        limited.retry_after_seconds = int(throttle.wait() or 60) + 1
        raise limited
