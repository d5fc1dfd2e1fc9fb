"""Return to the version that was stable before: `manage.py roll_back_model random-forest`."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ml_models.pointers import roll_back
from ml_models.selectors import registered_model
from mlservice.lib.errors import DomainError


class Command(BaseCommand):
    help = "Roll a model back: the version that was stable before serves who names none."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")

    def handle(self, *args: Any, **options: Any) -> None:
        slug = options["slug"]
        try:
            version = roll_back(model=registered_model(slug=slug))
        except DomainError as refusal:
            raise CommandError(refusal.in_english) from refusal
        self.stdout.write(f"{slug} version {version.number} is stable again")
