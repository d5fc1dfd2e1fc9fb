"""Publish what the pipeline built: `manage.py publish_model random-forest`, or `--all`."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ml_models import artifacts
from ml_models.releases import artifact_path, built_slugs, read_release
from ml_models.selectors import is_published
from ml_models.services import publish_version
from mlservice.lib.errors import DomainError

# By whether it is a draft, and whether it is new.
VERDICTS = {
    (False, True): "published",
    (False, False): "is published already, nothing to do",
    (True, True): "is a draft",
    (True, False): "is a draft already, nothing to do",
}


class Command(BaseCommand):
    help = "Publish models from the pipeline's outputs; a model's first version becomes stable."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug", nargs="?")
        parser.add_argument("--all", action="store_true", help="every model of the pipeline")
        parser.add_argument("--price", type=int, help="credits a row")
        parser.add_argument("--draft", action="store_true", help="keep it from clients for now")

    def handle(self, *args: Any, **options: Any) -> None:
        if bool(options["slug"]) == options["all"]:
            raise CommandError("Name one model, or say --all.")
        for slug in built_slugs() if options["all"] else [options["slug"]]:
            try:
                self.publish(slug, options["price"], is_draft=options["draft"])
            except DomainError as refusal:
                raise CommandError(refusal.detail) from refusal

    def publish(self, slug: str, price: int | None, *, is_draft: bool) -> None:
        release = read_release(slug)
        keep_artifact(slug, release.artifact.md5)
        # Nothing is published that this installation could not serve; what is published was.
        if not is_published(slug=slug, sha256=release.artifact.sha256):
            artifacts.load_estimator(release.artifact)
        version, is_new = publish_version(release=release, price=price, is_draft=is_draft)
        verdict = VERDICTS[version.is_draft, is_new]
        self.stdout.write(f"{slug} version {version.number} {verdict}, {version.price} a row")


def keep_artifact(slug: str, md5: str) -> None:
    stored = artifacts.stored_path(md5)
    if not stored.is_file():
        artifacts.keep(artifact_path(slug).read_bytes(), stored)
