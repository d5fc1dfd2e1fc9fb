"""Every move of a model's pointers: promote, roll back, set a candidate and take it away."""

from collections.abc import Iterable

from django.db import transaction

from ml_models.changes import announce_change
from ml_models.errors import (
    InvalidShare,
    NoCandidate,
    NothingToRollBackTo,
    VersionAlreadyStable,
    VersionBroken,
    VersionIsDraft,
    VersionRetired,
)
from ml_models.models import MLModel, ModelVersion, PointerMove

Pointer = PointerMove.Pointer


@transaction.atomic
def promote(*, version: ModelVersion, actor_id: int | None = None) -> None:
    """Let a version serve who names none; the one that serves already changes nothing.

    Raise VersionIsDraft, VersionRetired or VersionBroken if it cannot. Other processes follow
    when they hear of it, or within VERSION_CACHE_SECONDS.
    """
    model = locked_model(version.model_id)
    serving = _able_to_serve(version)
    if model.stable_id != serving.pk:
        _point(model, serving, actor_id)


@transaction.atomic
def roll_back(*, model: MLModel, actor_id: int | None = None) -> ModelVersion:
    """Return to the version that was stable before and can still serve; give it.

    Rolling back again goes further back. Raise NothingToRollBackTo at the end of the way.
    """
    locked = locked_model(model.pk)
    earlier = _stable_before(locked)
    able = ModelVersion.objects.published().in_bulk(earlier)
    target = next((able[pk] for pk in earlier if pk in able and pk != locked.stable_id), None)
    if target is None:
        raise NothingToRollBackTo
    _point(locked, target, actor_id, is_rollback=True)
    return target


@transaction.atomic
def set_candidate(*, version: ModelVersion, share: int, actor_id: int | None = None) -> None:
    """Let a version serve `share` percent of the users who name none.

    Raise InvalidShare, VersionAlreadyStable, or what promote raises.
    """
    if not 1 <= share <= 100:
        raise InvalidShare
    model = locked_model(version.model_id)
    able = _able_to_serve(version)
    if model.stable_id == able.pk:
        raise VersionAlreadyStable
    _offer(model, able, share, actor_id)


@transaction.atomic
def promote_candidate(*, model: MLModel, actor_id: int | None = None) -> None:
    """Promote whatever is the candidate now; raise NoCandidate if there is none."""
    locked = locked_model(model.pk)
    if locked.candidate is None:
        raise NoCandidate
    promote(version=locked.candidate, actor_id=actor_id)


@transaction.atomic
def clear_candidate(*, model: MLModel, actor_id: int | None = None) -> None:
    """Let the stable version serve all who name none."""
    _offer(locked_model(model.pk), None, 0, actor_id)


def locked_model(model_id: int) -> MLModel:
    """Lock a model's row, before any of its versions': so moves and retiring take turns."""
    # No key changes, so predictions that are accepted meanwhile do not wait for this lock.
    return MLModel.objects.select_for_update(no_key=True).get(pk=model_id)


def serve_first(model: MLModel, version: ModelVersion) -> None:
    """Make a model's first version stable; later ones wait to be promoted."""
    if model.stable_id is None:
        _point(model, version, None)


def _able_to_serve(version: ModelVersion) -> ModelVersion:
    locked = ModelVersion.objects.select_for_update(no_key=True).get(pk=version.pk)
    if locked.is_draft:
        raise VersionIsDraft
    if locked.is_retired:
        raise VersionRetired
    if locked.is_broken:
        raise VersionBroken
    return locked


def _point(
    model: MLModel, version: ModelVersion, actor_id: int | None, *, is_rollback: bool = False
) -> None:
    # A candidate that becomes stable is none any more.
    if model.candidate_id == version.pk:
        _offer(model, None, 0, actor_id)
    PointerMove.objects.create(
        model=model,
        pointer=Pointer.STABLE,
        version_before_id=model.stable_id,
        version_after=version,
        is_rollback=is_rollback,
        actor_id=actor_id,
    )
    model.stable = version
    model.save(update_fields=["stable"])
    announce_change()


def _offer(model: MLModel, version: ModelVersion | None, share: int, actor_id: int | None) -> None:
    after = version.pk if version else None
    if (model.candidate_id, model.candidate_share) == (after, share):
        return
    PointerMove.objects.create(
        model=model,
        pointer=Pointer.CANDIDATE,
        version_before_id=model.candidate_id,
        version_after=version,
        share_before=model.candidate_share,
        share_after=share,
        actor_id=actor_id,
    )
    model.candidate, model.candidate_share = version, share
    model.save(update_fields=["candidate", "candidate_share"])
    announce_change()


def _stable_before(model: MLModel) -> list[int]:
    """Return the ids of the versions to roll back to, the latest first."""
    moves = model.moves.filter(pointer=Pointer.STABLE).order_by("pk")
    way = _way_here(moves.values_list("version_after_id", "is_rollback"))
    return way[-2::-1]


def _way_here(moves: Iterable[tuple[int, bool]]) -> list[int]:
    """Follow the moves: one forward lengthens the way, a rollback shortens it."""
    way: list[int] = []
    for version_id, is_rollback in moves:
        if is_rollback and version_id in way:
            while way[-1] != version_id:
                way.pop()
        else:
            way.append(version_id)
    return way
