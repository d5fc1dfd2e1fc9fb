"""The only place that finds models and versions, and checks rows against one."""

import time
from collections.abc import Sequence
from functools import lru_cache

from django.conf import settings
from django.db.models import F, QuerySet

from ml_models.errors import ModelNotFound, VersionBroken, VersionRetired
from ml_models.models import MLModel, ModelVersion
from ml_models.rows import CheckedRows, RowChecker

# (slug, number asked for) → (good until, version). Only found versions are kept, so it
# cannot grow beyond what is published.
_found: dict[tuple[str, int | None], tuple[float, ModelVersion]] = {}


def listed_models() -> QuerySet[MLModel]:
    """Return the models that have a stable version, with it, in order of their slugs."""
    return MLModel.objects.filter(stable__isnull=False).select_related("stable").order_by("slug")


def stable_versions() -> list[ModelVersion]:
    """Return the versions that serve who names none."""
    return [model.stable for model in listed_models() if model.stable]


def is_published(*, slug: str, sha256: str) -> bool:
    return ModelVersion.objects.filter(model__slug=slug, artifact_sha256=sha256).exists()


def find_version(*, slug: str, number: int | None = None) -> ModelVersion:
    """Return a published version with its model, the stable one if no number is given.

    The answer is at most VERSION_CACHE_SECONDS old. Raise ModelNotFound if there is no
    such model or version, VersionRetired if it serves no more.
    """
    good_until, version = _found.get((slug, number), (0.0, None))
    if version is None or time.monotonic() >= good_until:
        version = _read_version(slug, number)
        _found[slug, number] = (time.monotonic() + settings.VERSION_CACHE_SECONDS, version)
    return version


def forget_found_versions() -> None:
    """Make this process read versions anew, after a change that it made itself."""
    _found.clear()


def _read_version(slug: str, number: int | None) -> ModelVersion:
    versions = ModelVersion.objects.select_related("model").filter(model__slug=slug)
    wanted: F | int = F("model__stable__number") if number is None else number
    version = versions.filter(number=wanted).first()
    if version is None:
        raise ModelNotFound(_nothing_at(slug, number))
    if version.is_retired:
        raise VersionRetired(f"Version {version.number} of {slug} is retired.")
    return version


def find_serving_version(*, slug: str, number: int | None = None) -> ModelVersion:
    """Return a version that can predict now; raise VersionBroken besides, if it is broken."""
    version = find_version(slug=slug, number=number)
    if version.is_broken:
        raise VersionBroken(
            f"Version {version.number} of {slug} is broken and predicts nothing until the "
            "operator has mended it. Nothing was charged."
        )
    return version


def _nothing_at(slug: str, number: int | None) -> str:
    return f"There is no model {slug!r}" + (f" with a version {number}." if number else ".")


@lru_cache(maxsize=64)
def version_by_id(version_id: int) -> ModelVersion:
    """Return a version with its model, retired or not: what was accepted is finished by it."""
    return ModelVersion.objects.select_related("model").get(pk=version_id)


def check_rows(*, version: ModelVersion, rows: Sequence[object]) -> CheckedRows:
    """Check rows against the version's schema, with a checker that is built once a process."""
    return _checker(version.pk).check(rows)


@lru_cache(maxsize=64)
def _checker(version_id: int) -> RowChecker:
    return RowChecker(version_by_id(version_id).input_schema)
