"""Every write to the registry: publish a version, move the pointer, price and retire."""

import logging

from django.db import transaction
from django.db.models import Max
from django.db.models.functions import Now

from ml_models.errors import (
    InvalidPrice,
    VersionBroken,
    VersionIsStable,
    VersionNotBroken,
    VersionRetired,
)
from ml_models.golden import replay
from ml_models.models import MLModel, ModelVersion
from ml_models.releases import Release
from ml_models.selectors import forget_found_versions, is_published

logger = logging.getLogger(__name__)

MAX_PRICE = 1_000_000_000


def publish_version(*, release: Release, price: int | None = None) -> tuple[ModelVersion, bool]:
    """Publish a release and make it stable; return its version and whether it is new.

    The same artifact makes no second version, so that a price or a pointer which an
    operator moved since then stays; only another `price`, asked for in words, does.
    Raise GoldenRowsDiffer, ArtifactUnavailable or a BrokenArtifact if this installation
    could not serve it.
    """
    check_price(release.price if price is None else price)
    # Loading takes its time, so no transaction stands open; what is published was replayed then.
    if release.golden_rows and not is_published(slug=release.slug, sha256=release.artifact.sha256):
        replay(release)
    return _publish(release, price)


@transaction.atomic
def _publish(release: Release, price: int | None) -> tuple[ModelVersion, bool]:
    asked = release.price if price is None else price
    model = _locked_model(release)
    published = model.versions.filter(artifact_sha256=release.artifact.sha256)
    if price is not None:
        published = published.filter(price=price)
    known = published.order_by("-number").first()
    if known is not None:
        return known, False
    version = _add_version(model, release, asked)
    move_stable(version=version)
    return version, True


@transaction.atomic
def move_stable(*, version: ModelVersion) -> None:
    """Let a version serve who names none; raise VersionRetired or VersionBroken if it cannot.

    Rolling back is the same move. Other processes follow within VERSION_CACHE_SECONDS.
    """
    locked = ModelVersion.objects.select_for_update().get(pk=version.pk)
    if locked.is_retired:
        raise VersionRetired
    if locked.is_broken:
        raise VersionBroken
    MLModel.objects.filter(pk=locked.model_id).update(stable=locked)
    transaction.on_commit(forget_found_versions)


@transaction.atomic
def retire_version(*, version: ModelVersion) -> None:
    """Take a version out of service; raise VersionIsStable if the pointer stands on it."""
    # The same lock as in move_stable: else the pointer could move here meanwhile.
    locked = ModelVersion.objects.select_for_update().get(pk=version.pk)
    if MLModel.objects.filter(stable=locked).exists():
        raise VersionIsStable
    ModelVersion.objects.filter(pk=version.pk).update(
        status=ModelVersion.Status.RETIRED, broken_reason="", broken_at=None
    )
    transaction.on_commit(forget_found_versions)


def break_version(*, version_id: int, reason: str) -> bool:
    """Note that a published version's artifact cannot be used; say whether that was news.

    Other processes refuse it within VERSION_CACHE_SECONDS; what waits for it is failed by the
    reaper.
    """
    published = ModelVersion.objects.filter(pk=version_id, status=ModelVersion.Status.PUBLISHED)
    is_news = published.update(
        status=ModelVersion.Status.BROKEN, broken_reason=reason, broken_at=Now()
    )
    if is_news:
        logger.error("version_broke", extra={"version": version_id, "reason": reason})
        forget_found_versions()
    return bool(is_news)


def check_again(*, version: ModelVersion) -> None:
    """Let a broken version serve again if its bytes are right now and answer as they did.

    Raise VersionNotBroken, ArtifactUnavailable or a BrokenArtifact; nothing changes then.
    """
    if not version.is_broken:
        raise VersionNotBroken
    # The store may be slow: no transaction stands open meanwhile.
    replay(version)
    broken = ModelVersion.objects.filter(pk=version.pk, status=ModelVersion.Status.BROKEN)
    broken.update(status=ModelVersion.Status.PUBLISHED, broken_reason="", broken_at=None)
    forget_found_versions()


@transaction.atomic
def set_price(*, version: ModelVersion, price: int) -> None:
    """Set the credits a row costs from now on; raise InvalidPrice if that is no price.

    What was accepted before keeps the price in its hold.
    """
    check_price(price)
    ModelVersion.objects.filter(pk=version.pk).update(price=price)
    transaction.on_commit(forget_found_versions)


def check_price(price: int) -> None:
    if not 1 <= price <= MAX_PRICE:
        raise InvalidPrice


def _locked_model(release: Release) -> MLModel:
    said = {
        "title": release.title,
        "title_ru": release.title_ru,
        "description": release.description,
        "description_ru": release.description_ru,
    }
    # update_or_create locks the row, so two publishers number their versions in turn.
    model, _ = MLModel.objects.update_or_create(slug=release.slug, defaults=said)
    return model


def _add_version(model: MLModel, release: Release, price: int) -> ModelVersion:
    last_number = model.versions.aggregate(last=Max("number"))["last"] or 0
    return ModelVersion.objects.create(
        model=model,
        number=last_number + 1,
        price=price,
        artifact_md5=release.artifact.md5,
        artifact_sha256=release.artifact.sha256,
        artifact_size=release.artifact.size,
        artifact_format=release.artifact.format,
        sklearn_version=release.artifact.sklearn_version,
        input_kind=release.input_kind,
        input_schema=release.input_schema,
        output_schema=release.output_schema,
        example=release.example,
        metrics=release.metrics,
        golden_rows=release.golden_rows,
    )
