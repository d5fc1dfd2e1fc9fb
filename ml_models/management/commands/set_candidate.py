"""Try a version on a share of the users: `manage.py set_candidate random-forest 2 --share 10`."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ml_models.models import ModelVersion
from ml_models.pointers import clear_candidate, set_candidate
from ml_models.selectors import registered_version
from mlservice.lib.errors import DomainError


class Command(BaseCommand):
    help = "Let a version serve a share of the users who name none; a share of 0 takes it away."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("number", type=int)
        parser.add_argument("--share", type=int, required=True, help="percent of the users")

    def handle(self, *args: Any, **options: Any) -> None:
        slug, number, share = options["slug"], options["number"], options["share"]
        try:
            self.offer(registered_version(slug=slug, number=number), share)
        except DomainError as refusal:
            raise CommandError(refusal.in_english) from refusal
        self.stdout.write(f"{slug} version {number} serves {share}% of the users")

    def offer(self, version: ModelVersion, share: int) -> None:
        if share:
            set_candidate(version=version, share=share)
        elif version.model.candidate_id == version.pk:
            clear_candidate(model=version.model)
        else:
            raise CommandError(f"{version} is not the candidate.")
