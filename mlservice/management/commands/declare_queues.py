"""`manage.py declare_queues`: make the broker's queues, or make them anew after an upgrade."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from mlservice.celery import app
from mlservice.lib.queues import declare_queues, replace_queues


class Command(BaseCommand):
    help = "Declare the broker's queues; relay and workers do so too whenever they connect."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--replace",
            action="store_true",
            help="remove queues that an earlier version made otherwise; nothing accepted is lost",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        with app.connection_for_write() as connection:
            if options["replace"]:
                replaced = replace_queues(connection)
                self.stdout.write(f"Replaced: {', '.join(replaced) or 'none'}.")
                return
            try:
                declare_queues(connection)
            except connection.channel_errors as refusal:
                raise CommandError(f"{refusal}\nRun it with --replace.") from refusal
            self.stdout.write("Declared.")
