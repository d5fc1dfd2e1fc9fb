"""The only place that counts requests: by the name of their route, never by their address."""

import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from prometheus_client import Counter, Gauge, Histogram

from mlservice.lib.metrics.counting import COUNTED

METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

requests_total = Counter(
    "mlservice_http_requests",
    "Requests that were answered, by the class of their status.",
    ["route", "method", "status"],
    registry=COUNTED,
)
request_seconds = Histogram(
    "mlservice_http_request_seconds",
    "Time until the answer began.",
    ["route", "method"],
    buckets=SECONDS,
    registry=COUNTED,
)
in_flight = Gauge(
    "mlservice_http_requests_in_flight",
    "Requests that are being answered.",
    registry=COUNTED,
    multiprocess_mode="livesum",
)


class CountingMiddleware:
    """Counts each request with the time it took, those too that no view ever saw."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        began = time.perf_counter()
        in_flight.inc()
        try:
            response = self.get_response(request)
        finally:
            in_flight.dec()
        answered, took = _counters(route_of(request), method_of(request), response.status_code)
        answered.inc()
        took.observe(time.perf_counter() - began)
        return response


@lru_cache(maxsize=1_000)
def _counters(route: str, method: str, status: int) -> tuple[Any, Any]:
    # There from the beginning: of a count that begins with 1, the first would not be seen.
    requests_total.labels(route, method, "5xx")
    answered = requests_total.labels(route, method, f"{status // 100}xx")
    return answered, request_seconds.labels(route, method)


def route_of(request: HttpRequest) -> str:
    """Name the route; the admin's many are one, and so is all that has none."""
    match = request.resolver_match
    if match is None:
        return "none"
    return "admin" if "admin" in match.app_names else match.view_name or "none"


def method_of(request: HttpRequest) -> str:
    method = request.method or ""
    return method if method in METHODS else "other"
