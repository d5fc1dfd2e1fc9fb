"""Publish what the pipeline built: `manage.py publish_model random-forest`, or `--all`."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ml_models import artifacts
from ml_models.releases import artifact_path, built_slugs, read_release
from ml_models.services import publish_version
from mlservice.lib.errors import DomainError


class Command(BaseCommand):
    help = "Publish models from the pipeline's outputs and make them stable."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug", nargs="?")
        parser.add_argument("--all", action="store_true", help="every model of the pipeline")
        parser.add_argument("--price", type=int, help="credits a row")

    def handle(self, *args: Any, **options: Any) -> None:
        if bool(options["slug"]) == options["all"]:
            raise CommandError("Name one model, or say --all.")
        for slug in built_slugs() if options["all"] else [options["slug"]]:
            try:
                self.publish(slug, options["price"])
            except DomainError as refusal:
                raise CommandError(refusal.detail) from refusal

    def publish(self, slug: str, price: int | None) -> None:
        release = read_release(slug)
        keep_artifact(slug, release.artifact.md5)
        version, is_new = publish_version(release=release, price=price)
        verdict = "published" if is_new else "is published already, nothing to do"
        self.stdout.write(f"{slug} version {version.number} {verdict}, {version.price} a row")


def keep_artifact(slug: str, md5: str) -> None:
    stored = artifacts.stored_path(md5)
    if not stored.is_file():
        artifacts.keep(artifact_path(slug).read_bytes(), stored)
