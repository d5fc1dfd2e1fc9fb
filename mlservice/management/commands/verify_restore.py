"""`manage.py verify_restore`: say whether a restored service can be trusted with traffic."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from mlservice.restoring import Trouble, facts, verify, waiting_past_its_time


class Command(BaseCommand):
    help = (
        "Check schema, rights, sequences, books and artifacts of a restored service, as the"
        " application's own role; exit 1 with what to do when something does not hold."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print each check with what it found, then what there is."""
        if [trouble for name, found in verify() for trouble in self.tell(name, found)]:
            self.stderr.write("Do not let anybody in: see above what to do.")
            sys.exit(1)
        for name, value in facts():
            self.stdout.write(f"{name}: {value}")
        if late := waiting_past_its_time():
            self.stdout.write(f"The relay will end {late} predictions that are past their time.")
        self.stdout.write("The restored service can be trusted.")

    def tell(self, name: str, found: list[Trouble]) -> list[Trouble]:
        self.stdout.write(f"{'WRONG' if found else 'ok':<6} {name}")
        for trouble in found:
            self.stdout.write(f"       {trouble.what}\n         {trouble.remedy}")
        return found
