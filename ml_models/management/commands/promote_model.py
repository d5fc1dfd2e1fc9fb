"""Let a version serve who names none: `manage.py promote_model random-forest 2`."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ml_models.pointers import promote
from ml_models.selectors import registered_version
from mlservice.lib.errors import DomainError


class Command(BaseCommand):
    help = "Promote a version: it serves who names none, in every process within 5 seconds."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("number", type=int)

    def handle(self, *args: Any, **options: Any) -> None:
        slug, number = options["slug"], options["number"]
        try:
            promote(version=registered_version(slug=slug, number=number))
        except DomainError as refusal:
            raise CommandError(refusal.in_english) from refusal
        self.stdout.write(f"{slug} version {number} is stable")
