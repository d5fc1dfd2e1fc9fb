"""Promote, roll back and retire at one moment: each finds what the one before it left."""

from functools import partial
from itertools import pairwise

import pytest

from ml_models.errors import VersionIsStable, VersionRetired
from ml_models.models import MLModel, ModelVersion, PointerMove
from ml_models.pointers import promote, roll_back, set_candidate
from ml_models.releases import read_release
from ml_models.services import publish_version, retire_version, set_price
from tests.races.threads import at_once, results

ROUNDS = 5


@pytest.fixture
def versions(published_version: ModelVersion) -> list[ModelVersion]:
    """The stable version and two that wait, at other prices."""
    release = read_release("linear-regression")
    others = [publish_version(release=release, price=price)[0] for price in (7, 8)]
    return [published_version, *others]


def test_moves_at_once_make_one_way(versions: list[ModelVersion]) -> None:
    first, second, third = versions
    promote(version=second)

    for _ in range(ROUNDS):
        at_once(
            [
                lambda: promote(version=first),
                lambda: promote(version=third),
                lambda: roll_back(model=first.model),
            ]
        )

    moves = PointerMove.objects.filter(pointer="stable").order_by("pk")
    way = list(moves.values_list("version_before_id", "version_after_id"))
    assert all(one[1] == after[0] for one, after in pairwise(way))
    assert way[-1][1] == MLModel.objects.get().stable_id


def test_what_is_retired_while_it_is_promoted_never_serves(versions: list[ModelVersion]) -> None:
    first, second, _ = versions

    for _ in range(ROUNDS):
        promoted, retired = at_once(
            [lambda: promote(version=second), lambda: retire_version(version=second)]
        )
        second.refresh_from_db()
        is_stable = MLModel.objects.get().stable_id == second.pk

        assert is_stable != second.is_retired
        assert isinstance(retired, VersionIsStable) == is_stable
        assert isinstance(promoted, VersionRetired) != is_stable
        promote(version=first)
        ModelVersion.objects.filter(pk=second.pk).update(status="published")


def test_a_version_is_never_stable_and_candidate(versions: list[ModelVersion]) -> None:
    first, second, _ = versions

    for _ in range(ROUNDS):
        at_once([lambda: promote(version=second), lambda: set_candidate(version=second, share=9)])
        model = MLModel.objects.get()

        assert (model.stable_id, model.candidate_id) == (second.pk, None)
        promote(version=first)


def test_prices_set_at_once_tell_one_history(versions: list[ModelVersion]) -> None:
    first = versions[0]

    results(at_once([partial(set_price, version=first, price=price) for price in (2, 3, 4)]))

    changes = list(first.price_changes.order_by("pk").values_list("price_before", "price_after"))
    first.refresh_from_db()
    assert changes[0][0] == 1
    assert all(one[1] == after[0] for one, after in pairwise(changes))
    assert changes[-1][1] == first.price
