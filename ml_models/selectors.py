"""The only place that finds models and versions, and checks rows against one."""

import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeVar

from django.conf import settings
from django.db.models import QuerySet

from ml_models.errors import ModelNotFound, VersionBroken, VersionRetired
from ml_models.models import Card, MLModel, ModelVersion
from ml_models.rows import CheckedRows, RowChecker

Key = TypeVar("Key")
Found = TypeVar("Found")

# Where processes hear that a version changed.
CHANGES = "version_changed"
# What was found lately: (good until, model) by slug, (good until, version) by slug and number.
# Only what was found is kept, so neither can grow beyond what is published.
_models: dict[str, tuple[float, MLModel]] = {}
_versions: dict[tuple[str, int], tuple[float, ModelVersion]] = {}


def listed_models() -> QuerySet[MLModel]:
    """Return the models that have a stable version, with who serves, in order of their slugs."""
    serving = MLModel.objects.filter(stable__isnull=False).order_by("slug")
    return serving.select_related("stable__model", "candidate__model")


def listed_versions(*, user_id: int | None) -> list[ModelVersion]:
    """Return of each listed model the version that serves this user."""
    served = (model.version_for(user_id) for model in listed_models())
    return [version for version in served if version]


def serving_versions() -> list[ModelVersion]:
    """Return the versions that serve who names none: stable ones and candidates."""
    pairs = ((model.stable, model.candidate) for model in listed_models())
    return [version for pair in pairs for version in pair if version]


def is_published(*, slug: str, sha256: str) -> bool:
    return ModelVersion.objects.filter(model__slug=slug, artifact_sha256=sha256).exists()


def registered_version(*, slug: str, number: int) -> ModelVersion:
    """Return a version whatever its status, as it is now; raise ModelNotFound if there is none."""
    versions = ModelVersion.objects.select_related("model")
    version = versions.filter(model__slug=slug, number=number).first()
    if version is None:
        raise ModelNotFound(_nothing_at(slug, number))
    return version


def registered_model(*, slug: str) -> MLModel:
    """Return a model whether it serves or not; raise ModelNotFound if there is none."""
    model = MLModel.objects.filter(slug=slug).first()
    if model is None:
        raise ModelNotFound(_nothing_at(slug, None))
    return model


def find_version(
    *, slug: str, number: int | None = None, user_id: int | None = None
) -> ModelVersion:
    """Return a version with its model; if no number is given, the one that serves this user.

    The answer is at most VERSION_CACHE_SECONDS old. Raise ModelNotFound if there is no
    such model or version, or only a draft of it; VersionRetired if it serves no more.
    """
    if number is None:
        version = _kept(_models, slug, lambda: _read_model(slug)).version_for(user_id)
    else:
        version = _kept(_versions, (slug, number), lambda: _read_version(slug, number))
    if version is None:
        raise ModelNotFound(_nothing_at(slug, number))
    if version.is_retired:
        raise VersionRetired(f"Version {version.number} of {slug} is retired.")
    return version


def forget_found_versions() -> None:
    """Make this process read versions anew, after a change that it made or heard of."""
    global _models, _versions
    # Whoever is reading now keeps what comes of it in the old ones, where nobody finds it.
    _models, _versions = {}, {}


def _kept(kept: dict[Key, tuple[float, Found]], key: Key, read: Callable[[], Found]) -> Found:
    """Return what was read lately. Its age counts from before the reading, not after."""
    good_until, found = kept.get(key, (0.0, None))
    began = time.monotonic()
    if found is None or began >= good_until:
        found = read()
        kept[key] = (began + settings.VERSION_CACHE_SECONDS, found)
    return found


def _read_model(slug: str) -> MLModel:
    model = listed_models().filter(slug=slug).first()
    if model is None:
        raise ModelNotFound(_nothing_at(slug, None))
    return model


def _read_version(slug: str, number: int) -> ModelVersion:
    version = registered_version(slug=slug, number=number)
    if version.is_draft:
        raise ModelNotFound(_nothing_at(slug, number))
    return version


def find_serving_version(
    *, slug: str, number: int | None = None, user_id: int | None = None
) -> ModelVersion:
    """Return a version that can predict now; raise VersionBroken besides, if it is broken."""
    version = find_version(slug=slug, number=number, user_id=user_id)
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


def card_of(version: ModelVersion) -> Card:
    """Return a version's card; an empty one for a version of before there were cards."""
    return Card.objects.filter(version=version).first() or Card(version=version)


def check_rows(*, version: ModelVersion, rows: Sequence[object]) -> CheckedRows:
    """Check rows against the version's schema, with a checker that is built once a process."""
    return _checker(version.pk).check(rows)


@lru_cache(maxsize=64)
def _checker(version_id: int) -> RowChecker:
    return RowChecker(version_by_id(version_id).input_schema)
