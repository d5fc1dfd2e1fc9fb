"""The books and the work audited together: the only place that joins the apps' own checks."""

from billing import audit as billing_audit
from mlservice.lib.snapshot import one_snapshot
from predictions import audit as predictions_audit


def run_checks() -> dict[str, int]:
    """Count, as of one moment, the rows that break each rule; all zeros is a clean ledger."""
    with one_snapshot():
        return {**billing_audit.run_checks(), **predictions_audit.run_checks()}
