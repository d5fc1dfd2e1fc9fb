"""`manage.py audit_ledger`: recompute the books from the rows and say whether they agree."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from mlservice.audit import audit


class Command(BaseCommand):
    help = "Check that wallets, holds, entries and predictions agree; exit 1 when they do not."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print each rule with the number of rows that break it."""
        run = audit()
        for name, count in run.counts.items():
            self.stdout.write(f"{count:>6}  {name.replace('_', ' ')}")
        if run.drift:
            self.stderr.write("The ledger does not agree with the rows above.")
            sys.exit(1)
        self.stdout.write("The ledger is clean.")
