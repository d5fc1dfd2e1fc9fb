"""Every write to a version: publish, price, retire; the pointers are moved in `pointers`."""

import logging
from dataclasses import replace

from django.db import transaction
from django.db.models import Max
from django.db.models.functions import Now

from ml_models.changes import announce_change
from ml_models.drawing import drawable
from ml_models.errors import (
    ExplanationsNotOffered,
    InvalidMultiplier,
    InvalidPrice,
    VersionIsCandidate,
    VersionIsStable,
    VersionNotBroken,
    VersionNotDraft,
)
from ml_models.formats import Estimator
from ml_models.golden import replay
from ml_models.models import Card, MLModel, ModelVersion, PriceChange
from ml_models.pointers import locked_model, serve_first
from ml_models.releases import Described, Release
from ml_models.selectors import is_published

logger = logging.getLogger(__name__)

Status = ModelVersion.Status

MAX_PRICE = 1_000_000_000
MAX_MULTIPLIER = 100


def publish_version(
    *, release: Release, price: int | None = None, is_draft: bool = False
) -> tuple[ModelVersion, bool]:
    """Publish a release, or keep it as a draft; return its version and whether it is new.

    A model's first version becomes stable by itself, later ones wait to be promoted. The same
    artifact makes no second version, so that a price or a pointer which an operator moved since
    then stays; only another `price`, asked for in words, does. A draft of it is published.
    Raise GoldenRowsDiffer, ArtifactUnavailable or a BrokenArtifact if this installation
    could not serve it.
    """
    check_price(release.price if price is None else price)
    check_multiplier(release.explain_multiplier)
    # Loading takes its time, so no transaction stands open; what is known was replayed then.
    if not is_published(slug=release.slug, sha256=release.artifact.sha256):
        release = tried(release)
    return _publish(release, price, is_draft=is_draft)


def tried(release: Release) -> Release:
    """Replay the release; return it without explanations where its estimator allows none."""
    estimator = replay(release)
    if release.explain_multiplier and can_explain(estimator, release):
        return release
    return replace(release, explain_multiplier=0)


def can_explain(estimator: Estimator, model: Described) -> bool:
    # Imported here, since it brings scikit-learn, and the web processes hardly ever publish.
    from ml_models.explanations import explains

    return explains(estimator, model)


@transaction.atomic
def _publish(release: Release, price: int | None, *, is_draft: bool) -> tuple[ModelVersion, bool]:
    asked = release.price if price is None else price
    model = _locked_model(release)
    published = model.versions.filter(artifact_sha256=release.artifact.sha256)
    if price is not None:
        published = published.filter(price=price)
    known = published.order_by("-number").first()
    if known is not None:
        _give_card(known, release)
        return known, _released(known) if not is_draft else False
    version = _add_version(model, release, asked, is_draft)
    if not is_draft:
        serve_first(model, version)
    return version, True


@transaction.atomic
def release_draft(*, version: ModelVersion) -> None:
    """Publish a draft; raise VersionNotDraft if it is none. A model's first becomes stable."""
    model = locked_model(version.model_id)
    draft = ModelVersion.objects.filter(pk=version.pk, status=Status.DRAFT)
    if not draft.update(status=Status.PUBLISHED):
        raise VersionNotDraft
    serve_first(model, version)
    announce_change()


@transaction.atomic
def retire_version(*, version: ModelVersion) -> None:
    """Take a version out of service; raise VersionIsStable or VersionIsCandidate if it serves."""
    # The same lock as the pointers': else one could move here meanwhile.
    model = locked_model(version.model_id)
    if model.stable_id == version.pk:
        raise VersionIsStable
    if model.candidate_id == version.pk:
        raise VersionIsCandidate
    ModelVersion.objects.filter(pk=version.pk).update(
        status=Status.RETIRED, broken_reason="", broken_at=None
    )
    announce_change()


@transaction.atomic
def break_version(*, version_id: int, reason: str) -> bool:
    """Note that a published version's artifact cannot be used; say whether that was news.

    Other processes refuse it when they hear of it, or within VERSION_CACHE_SECONDS; what waits for
    it is failed by the reaper.
    """
    published = ModelVersion.objects.filter(pk=version_id, status=Status.PUBLISHED)
    is_news = published.update(status=Status.BROKEN, broken_reason=reason, broken_at=Now())
    if is_news:
        logger.error("version_broke", extra={"version": version_id, "reason": reason})
        announce_change()
    return bool(is_news)


def check_again(*, version: ModelVersion) -> None:
    """Let a broken version serve again if its bytes are right now and answer as they did.

    Raise VersionNotBroken, ArtifactUnavailable or a BrokenArtifact; nothing changes then.
    """
    if not version.is_broken:
        raise VersionNotBroken
    # The store may be slow: no transaction stands open meanwhile.
    replay(version)
    with transaction.atomic():
        broken = ModelVersion.objects.filter(pk=version.pk, status=Status.BROKEN)
        broken.update(status=Status.PUBLISHED, broken_reason="", broken_at=None)
        announce_change()


@transaction.atomic
def set_price(*, version: ModelVersion, price: int, actor_id: int | None = None) -> None:
    """Set the credits a row costs from now on; raise InvalidPrice if that is no price.

    What was accepted before keeps the price in its hold.
    """
    check_price(price)
    locked = ModelVersion.objects.select_for_update(no_key=True).get(pk=version.pk)
    if locked.price == price:
        return
    PriceChange.objects.create(
        version=locked, price_before=locked.price, price_after=price, actor_id=actor_id
    )
    ModelVersion.objects.filter(pk=version.pk).update(price=price)
    announce_change()


def check_price(price: int) -> None:
    if not 1 <= price <= MAX_PRICE:
        raise InvalidPrice


def set_explain_multiplier(
    *, version: ModelVersion, multiplier: int, actor_id: int | None = None
) -> None:
    """Set what an explained row costs from now on, as a multiple of the price; 0 offers none.

    Raise InvalidMultiplier outside 0 to 100. Where none were offered the artifact is loaded and
    tried first: raise ExplanationsNotOffered, ArtifactUnavailable or a BrokenArtifact then.
    """
    check_multiplier(multiplier)
    is_new = multiplier and not version.explain_multiplier
    if is_new and not can_explain(replay(version), version):
        raise ExplanationsNotOffered
    with transaction.atomic():
        locked = ModelVersion.objects.select_for_update(no_key=True).get(pk=version.pk)
        if locked.explain_multiplier == multiplier:
            return
        PriceChange.objects.create(
            version=locked,
            is_explained=True,
            price_before=locked.explained_price,
            price_after=locked.price * multiplier,
            actor_id=actor_id,
        )
        ModelVersion.objects.filter(pk=version.pk).update(explain_multiplier=multiplier)
        announce_change()


def check_multiplier(multiplier: int) -> None:
    if not 0 <= multiplier <= MAX_MULTIPLIER:
        raise InvalidMultiplier


def _released(version: ModelVersion) -> bool:
    """Publish what was known only as a draft; say whether it was one."""
    if not version.is_draft:
        return False
    release_draft(version=version)
    version.refresh_from_db(fields=["status"])
    return True


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


def _add_version(model: MLModel, release: Release, price: int, is_draft: bool) -> ModelVersion:
    last_number = model.versions.aggregate(last=Max("number"))["last"] or 0
    version = ModelVersion.objects.create(
        model=model,
        number=last_number + 1,
        price=price,
        explain_multiplier=release.explain_multiplier,
        status=Status.DRAFT if is_draft else Status.PUBLISHED,
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
    _give_card(version, release)
    return version


def _give_card(version: ModelVersion, release: Release) -> None:
    """Give a version its card, which it keeps; one of before there were cards gets it late."""
    said = {"words": release.words, "plots": drawable(release)}
    Card.objects.get_or_create(version=version, defaults=said)
