"""Goal: promoting and rolling back are the same move, each of them kept."""

from collections.abc import Iterator

import pytest
from django.db import IntegrityError, transaction

from accounts.models import User
from ml_models.errors import (
    InvalidShare,
    NoCandidate,
    NothingToRollBackTo,
    VersionAlreadyStable,
    VersionBroken,
    VersionIsCandidate,
    VersionIsDraft,
    VersionRetired,
)
from ml_models.models import MLModel, ModelVersion, PointerMove, PriceChange
from ml_models.pointers import (
    clear_candidate,
    promote,
    promote_candidate,
    roll_back,
    set_candidate,
)
from ml_models.services import break_version, publish_version, retire_version, set_price
from tests.ml_models.builders import make_release, make_version

pytestmark = pytest.mark.django_db


def make_versions(count: int) -> Iterator[ModelVersion]:
    """Publish one release at so many prices; the first is stable."""
    for price in range(1, count + 1):
        yield publish_version(release=make_release(), price=price)[0]


def stable() -> ModelVersion | None:
    return MLModel.objects.get(slug="toy").stable


def moves() -> list[tuple[str, int | None, int | None, int, int, bool]]:
    columns = (
        *("pointer", "version_before__number", "version_after__number"),
        *("share_before", "share_after", "is_rollback"),
    )
    return list(PointerMove.objects.order_by("pk").values_list(*columns))


def test_every_move_is_kept_with_who_made_it(staff: User) -> None:
    first, second = make_versions(2)

    promote(version=second, actor_id=staff.pk)
    roll_back(model=first.model)

    assert moves() == [
        ("stable", None, 1, 0, 0, False),
        ("stable", 1, 2, 0, 0, False),
        ("stable", 2, 1, 0, 0, True),
    ]
    assert [move.actor for move in PointerMove.objects.order_by("pk")] == [None, staff, None]


def test_promoting_what_is_stable_moves_nothing() -> None:
    first, _ = make_versions(2)

    promote(version=first)

    assert len(moves()) == 1


def test_rolling_back_again_goes_further_back() -> None:
    first, second, third = make_versions(3)
    promote(version=second)
    promote(version=third)

    went = [roll_back(model=first.model) for _ in range(2)]

    assert went == [second, first]
    with pytest.raises(NothingToRollBackTo):
        roll_back(model=first.model)
    assert stable() == first


def test_after_a_rollback_the_way_goes_on_from_there() -> None:
    first, second, third = make_versions(3)
    promote(version=second)
    roll_back(model=first.model)
    promote(version=third)

    assert roll_back(model=first.model) == first


def test_a_version_that_cannot_serve_any_more_is_passed_over() -> None:
    first, second, third, fourth = make_versions(4)
    for version in (second, third, fourth):
        promote(version=version)
    retire_version(version=third)
    break_version(version_id=second.pk, reason="gone")

    assert roll_back(model=first.model) == first


def test_a_model_that_never_moved_has_nothing_to_roll_back_to() -> None:
    version = make_version()

    with pytest.raises(NothingToRollBackTo):
        roll_back(model=version.model)

    assert stable() == version


def test_a_candidate_is_set_and_taken_away_again(staff: User) -> None:
    first, second = make_versions(2)

    set_candidate(version=second, share=10, actor_id=staff.pk)
    set_candidate(version=second, share=50)
    set_candidate(version=second, share=50)
    clear_candidate(model=first.model)
    clear_candidate(model=first.model)

    assert moves()[1:] == [
        ("candidate", None, 2, 0, 10, False),
        ("candidate", 2, 2, 10, 50, False),
        ("candidate", 2, None, 50, 0, False),
    ]
    model = MLModel.objects.get(slug="toy")
    assert (model.candidate, model.candidate_share) == (None, 0)


def test_a_promoted_candidate_is_stable_and_a_candidate_no_more() -> None:
    first, second = make_versions(2)
    set_candidate(version=second, share=10)

    promote_candidate(model=first.model)

    model = MLModel.objects.get(slug="toy")
    assert (model.stable, model.candidate, model.candidate_share) == (second, None, 0)


def test_a_rollback_to_the_candidate_makes_it_stable_alone() -> None:
    first, second = make_versions(2)
    promote(version=second)
    set_candidate(version=first, share=10)

    roll_back(model=first.model)

    model = MLModel.objects.get(slug="toy")
    assert (model.stable, model.candidate) == (first, None)


def test_without_a_candidate_there_is_none_to_promote() -> None:
    with pytest.raises(NoCandidate):
        promote_candidate(model=make_version().model)


@pytest.mark.parametrize("share", [-1, 0, 101])
def test_a_share_that_is_none_is_refused(share: int) -> None:
    _, second = make_versions(2)

    with pytest.raises(InvalidShare):
        set_candidate(version=second, share=share)

    assert MLModel.objects.get(slug="toy").candidate is None


def test_the_stable_version_is_no_candidate() -> None:
    with pytest.raises(VersionAlreadyStable):
        set_candidate(version=make_version(), share=10)


def test_only_a_version_that_can_serve_is_promoted_or_tried() -> None:
    make_version()
    draft, _ = publish_version(release=make_release(), price=7, is_draft=True)
    retired, _ = publish_version(release=make_release(), price=8)
    broken, _ = publish_version(release=make_release(), price=9)
    retire_version(version=retired)
    break_version(version_id=broken.pk, reason="gone")

    for version, refusal in (
        (draft, VersionIsDraft),
        (retired, VersionRetired),
        (broken, VersionBroken),
    ):
        with pytest.raises(refusal):
            promote(version=version)
        with pytest.raises(refusal):
            set_candidate(version=version, share=10)
    assert len(moves()) == 1


def test_a_candidate_cannot_be_retired() -> None:
    _, second = make_versions(2)
    set_candidate(version=second, share=10)

    with pytest.raises(VersionIsCandidate):
        retire_version(version=second)


@pytest.mark.parametrize("share", [0, 101])
def test_the_database_keeps_a_candidates_share_within_its_bounds(share: int) -> None:
    _, second = make_versions(2)

    with pytest.raises(IntegrityError), transaction.atomic():
        MLModel.objects.update(candidate=second, candidate_share=share)


def test_the_database_keeps_the_candidate_apart_from_the_stable_version() -> None:
    first = make_version()

    with pytest.raises(IntegrityError), transaction.atomic():
        MLModel.objects.update(candidate=first, candidate_share=10)


def test_a_new_price_is_kept_with_the_old_one_and_who_set_it(staff: User) -> None:
    version = make_version(price=3)

    set_price(version=version, price=8, actor_id=staff.pk)
    set_price(version=version, price=8, actor_id=staff.pk)

    change = PriceChange.objects.get()
    assert (change.version, change.price_before, change.price_after) == (version, 3, 8)
    assert change.actor == staff
