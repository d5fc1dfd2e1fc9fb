"""Limits that a page and its API twin share."""

from typing import Any

from django.http import HttpRequest
from rest_framework.throttling import SimpleRateThrottle

from mlservice.lib.addresses import client_address
from mlservice.lib.errors import DomainError


class RateLimited(DomainError):
    status = 429
    code = "rate_limited"
    title = "Too many requests, try again later"


class RegistrationThrottle(SimpleRateThrottle):
    """So many new accounts from one address, by form and by API together."""

    scope = "register"

    def get_cache_key(self, request: Any, view: Any) -> str:
        return f"register:{client_address(request)}"


def refuse_excess_registrations(request: HttpRequest) -> None:
    """Raise RateLimited when this address has opened too many accounts lately."""
    throttle = RegistrationThrottle()
    if not throttle.allow_request(request, None):  # type: ignore[arg-type]
        refusal = RateLimited("Too many accounts were opened from here. Try again later.")
        refusal.retry_after_seconds = int(throttle.wait() or 60) + 1
        raise refusal
