"""The books and the work audited together: the only place that joins the apps' own checks."""

import time

from billing import audit as billing_audit
from billing.models import AuditRun
from mlservice.lib.snapshot import one_snapshot
from predictions import audit as predictions_audit

# More than a year of nightly runs.
RUNS_KEPT = 400


def run_checks() -> dict[str, int]:
    """Count, as of one moment, the rows that break each rule; all zeros is a clean ledger."""
    with one_snapshot():
        return {**billing_audit.run_checks(), **predictions_audit.run_checks()}


def audit() -> AuditRun:
    """Run all checks and keep what they counted, for the operators' page and for monitoring."""
    began = time.perf_counter()
    counts = run_checks()
    run = AuditRun.objects.create(counts=counts, seconds=time.perf_counter() - began)
    kept = AuditRun.objects.order_by("-id").values("pk")[:RUNS_KEPT]
    AuditRun.objects.exclude(pk__in=list(kept.values_list("pk", flat=True))).delete()
    return run
