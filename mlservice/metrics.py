"""What Prometheus reads, and the only place that lets it: `/metrics`, for who knows the token.

Web processes share no memory, so nothing is counted in them: each collector reads the database
when it is asked, and every process answers the same.
"""

import hmac
from collections.abc import Iterator

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from billing.selectors import last_audit


class AuditCollector(Collector):
    """The last audit of the books; without one there is nothing to say."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        drift = GaugeMetricFamily(
            "ledger_drift", "Rows that break a rule of the books.", labels=["rule"]
        )
        finished = GaugeMetricFamily(
            "ledger_audit_finished_timestamp_seconds", "When the last audit of the books ended."
        )
        seconds = GaugeMetricFamily(
            "ledger_audit_seconds", "How long the last audit of the books took."
        )
        if run := last_audit():
            for rule, count in run.counts.items():
                drift.add_metric([rule], count)
            finished.add_metric([], run.finished_at.timestamp())
            seconds.add_metric([], run.seconds)
        yield from (drift, finished, seconds)

    def describe(self) -> list[GaugeMetricFamily]:
        """Promise nothing at start, when no database may be asked."""
        return []


REGISTRY = CollectorRegistry()
REGISTRY.register(AuditCollector())


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer who sends METRICS_TOKEN as a bearer token; without that setting there is no page."""
    if not settings.METRICS_TOKEN:
        raise Http404
    expected = f"Bearer {settings.METRICS_TOKEN}".encode()
    if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), expected):
        return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer"})
    return HttpResponse(generate_latest(REGISTRY), content_type=CONTENT_TYPE_LATEST)
