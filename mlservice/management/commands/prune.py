"""`manage.py prune`: remove what is past the time that the settings give it; never the ledger."""

import math
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from mlservice.removal import Pruned, count_prunable, prune


class Command(BaseCommand):
    help = (
        "Remove rows and results of predictions after PREDICTION_RETENTION_DAYS, notes on sign-ins"
        " after SIGN_IN_RETENTION_DAYS, and sessions that have expired. The ledger is not touched."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only say what it would remove")
        parser.add_argument(
            "--seconds",
            type=float,
            default=math.inf,
            help="begin nothing after so long; the next run goes on there",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run to the end unless it is told otherwise; it may be interrupted at any time."""
        is_dry = options["dry_run"]
        self.report(
            count_prunable() if is_dry else prune(seconds=options["seconds"]),
            verb="Would remove" if is_dry else "Removed",
        )

    def report(self, pruned: Pruned, *, verb: str) -> None:
        days = {
            "rows and results of predictions": settings.PREDICTION_RETENTION_DAYS,
            "notes on sign-ins": settings.SIGN_IN_RETENTION_DAYS,
        }
        for what, kept in days.items():
            self.stdout.write(f"Kept {what}: {f'{kept} days' if kept else 'for ever'}.")
        self.stdout.write(
            f"{verb}: the data of {pruned.predictions} predictions, {pruned.sign_ins} notes on"
            f" sign-ins, {pruned.sessions} sessions."
        )
        if not pruned.is_whole:
            self.stdout.write("There is more: the next run goes on.")
