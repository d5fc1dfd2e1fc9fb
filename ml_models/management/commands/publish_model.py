"""Publish what the pipeline built: `manage.py publish_model random-forest`, or `--all`.

Or bring an estimator of your own: `manage.py publish_model --artifact model.joblib
--sample sample.csv --slug iris --title Iris`. A joblib file is run by loading it: publish
none that you do not trust.
"""

from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ml_models import artifacts
from ml_models.fetching import share
from ml_models.models import MLModel, ModelVersion
from ml_models.releases import Release, artifact_path, built_slugs, read_release
from ml_models.services import publish_version
from mlservice.lib.errors import DomainError

OWN = ("artifact", "sample", "own_slug", "title")
WORDS = ("description", "output", "unit", "format", "card", "held_out", "target")
# By whether it is a draft, and whether it is new.
VERDICTS = {
    (False, True): "published",
    (False, False): "is published already, nothing to do",
    (True, True): "is a draft",
    (True, False): "is a draft already, nothing to do",
}


class Command(BaseCommand):
    help = "Publish models, the pipeline's or your own; a model's first version becomes stable."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug", nargs="?", help="a model of the pipeline")
        parser.add_argument("--all", action="store_true", help="every model of the pipeline")
        parser.add_argument("--price", type=int, help="credits a row")
        parser.add_argument(
            "--explain-multiplier",
            type=int,
            help="what an explained row costs, as a multiple of the price; 0 offers none",
        )
        parser.add_argument("--draft", action="store_true", help="keep it from clients for now")
        own = parser.add_argument_group("an estimator of your own")
        own.add_argument("--artifact", type=Path, help=".joblib that you trust, or .skops")
        own.add_argument("--sample", type=Path, help="rows of its input, .csv or .parquet")
        own.add_argument("--slug", dest="own_slug", help="its name in addresses and requests")
        own.add_argument("--title", help="its name for people")
        own.add_argument("--description", default="", help="what it predicts, and from what")
        own.add_argument("--output", default="", help="what a prediction is called")
        own.add_argument("--unit", default="", help="the unit of a predicted number")
        own.add_argument(
            "--format",
            default="auto",
            choices=["auto", "joblib", "skops"],
            help="how it is stored; auto is skops where it answers to the last bit the same",
        )

        own.add_argument("--card", type=Path, help="what to say of it, .yaml or .json")
        own.add_argument("--held-out", type=Path, help="rows with the target, to measure it on")
        own.add_argument("--target", default="", help="the column of them that is predicted")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if any(options[name] for name in OWN):
                self.publish_own(options)
            else:
                self.publish_built(options)
        except DomainError as refusal:
            raise CommandError(refusal.detail) from refusal

    def publish_built(self, options: dict[str, Any]) -> None:
        if bool(options["slug"]) == options["all"]:
            raise CommandError("Name one model, or say --all.")
        for slug in built_slugs() if options["all"] else [options["slug"]]:
            release = explained_at(read_release(slug), options["explain_multiplier"])
            keep_artifact(slug, release.artifact.md5)
            self.tell(
                *publish_version(release=release, price=options["price"], is_draft=options["draft"])
            )

    def publish_own(self, options: dict[str, Any]) -> None:
        if options["slug"] or options["all"] or not all(options[name] for name in OWN):
            raise CommandError(
                "A model of your own takes --artifact, --sample, --slug and --title together, "
                "and no model of the pipeline beside them."
            )
        if bool(options["held_out"]) != bool(options["target"]):
            raise CommandError("--held-out and --target are said together.")
        release, content = own_release(options)
        release = explained_at(release, options["explain_multiplier"])
        artifacts.keep(content, artifacts.stored_path(release.artifact.md5))
        share(content, release.artifact)
        self.tell(*publish_version(release=release, is_draft=options["draft"]))

    def tell(self, version: ModelVersion, is_new: bool) -> None:
        verdict = VERDICTS[version.is_draft, is_new]
        said = f"{version.model.slug} version {version.number} {verdict}, {version.price} a row"
        is_stable = MLModel.objects.filter(stable=version).exists()
        if is_new and not version.is_draft and not is_stable:
            said += f"; `promote_model {version.model.slug} {version.number}` makes it stable"
        self.stdout.write(said)


def explained_at(release: Release, multiplier: int | None) -> Release:
    return release if multiplier is None else replace(release, explain_multiplier=multiplier)


def keep_artifact(slug: str, md5: str) -> None:
    stored = artifacts.stored_path(md5)
    if not stored.is_file():
        artifacts.keep(artifact_path(slug).read_bytes(), stored)


def own_release(options: dict[str, Any]) -> tuple[Release, bytes]:
    # Imported here, since it brings pandas and the pipeline's own need none.
    from ml_models.brought import Brought, make_release

    words = {name: options[name] for name in WORDS}
    return make_release(
        Brought(
            artifact=options["artifact"],
            sample=options["sample"],
            slug=options["own_slug"],
            title=options["title"],
            price=1 if options["price"] is None else options["price"],
            **words,
        )
    )
