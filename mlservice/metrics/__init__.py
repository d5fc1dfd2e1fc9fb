"""The page that Prometheus reads from the web processes: `/metrics`, for who knows the token.

It tells what the web processes have counted and what the database knows; the latter every web
process answers alike.
"""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from mlservice.lib.metrics import exposing
from mlservice.lib.metrics.counting import Counts
from mlservice.lib.metrics.processes import Processes
from mlservice.metrics.database import Readings
from mlservice.metrics.reading import READERS

REGISTRY = exposing.registry_of(Counts(), Processes(asked_in_a_child=True), Readings(READERS))


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer who sends METRICS_TOKEN as a bearer token; without that setting there is no page."""
    status, headers, body = exposing.answer(REGISTRY, request.headers.get("Authorization", ""))
    return HttpResponse(body, status=status, headers=headers)
