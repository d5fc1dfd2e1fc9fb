"""Goal: a release becomes one version, whatever is published when and how often."""

import pytest

from ml_models.errors import (
    InvalidPrice,
    ModelNotFound,
    VersionIsStable,
    VersionNotDraft,
    VersionRetired,
)
from ml_models.models import MLModel, ModelVersion
from ml_models.pointers import promote, roll_back
from ml_models.selectors import find_version
from ml_models.services import publish_version, release_draft, retire_version, set_price
from tests.ml_models.builders import dumped, make_artifact, make_estimator, make_release

pytestmark = pytest.mark.django_db


def test_the_first_version_is_number_one_and_stable() -> None:
    version, is_new = publish_version(release=make_release())

    assert is_new
    assert version.number == 1
    assert version.price == 3
    assert MLModel.objects.get(slug="toy").stable == version


def test_the_same_artifact_published_twice_makes_no_second_version() -> None:
    first, _ = publish_version(release=make_release())

    second, is_new = publish_version(release=make_release())

    assert not is_new
    assert second == first
    assert ModelVersion.objects.count() == 1


def test_publishing_again_keeps_the_price_that_an_operator_set() -> None:
    version, _ = publish_version(release=make_release())
    set_price(version=version, price=8)

    again, is_new = publish_version(release=make_release())

    assert not is_new
    assert again.price == 8


def test_publishing_again_leaves_a_rolled_back_pointer_where_it_is() -> None:
    first, _ = publish_version(release=make_release())
    newer = make_release(artifact=make_artifact(dumped(make_estimator(slope=5.0))))
    promote(version=publish_version(release=newer)[0])
    roll_back(model=first.model)

    publish_version(release=newer)

    assert MLModel.objects.get(slug="toy").stable == first


def test_another_artifact_makes_the_next_version_and_leaves_the_pointer() -> None:
    first, _ = publish_version(release=make_release())
    newer = make_release(artifact=make_artifact(dumped(make_estimator(slope=5.0))))

    version, is_new = publish_version(release=newer)

    assert is_new
    assert version.number == 2
    assert MLModel.objects.get(slug="toy").stable == first


def test_a_price_asked_for_in_words_makes_a_version_at_that_price() -> None:
    publish_version(release=make_release())

    version, is_new = publish_version(release=make_release(), price=7)

    assert is_new
    assert (version.number, version.price) == (2, 7)
    assert publish_version(release=make_release(), price=7) == (version, False)


@pytest.mark.parametrize("price", [0, -1, 1_000_000_001])
def test_a_price_that_is_none_is_refused(price: int) -> None:
    with pytest.raises(InvalidPrice):
        publish_version(release=make_release(), price=price)

    assert not ModelVersion.objects.exists()


def test_a_new_release_renames_the_model() -> None:
    publish_version(release=make_release())

    publish_version(release=make_release(title="Better toy"))

    assert MLModel.objects.get(slug="toy").title == "Better toy"


def test_the_stable_version_cannot_be_retired() -> None:
    version, _ = publish_version(release=make_release())

    with pytest.raises(VersionIsStable):
        retire_version(version=version)

    version.refresh_from_db()
    assert not version.is_retired


def test_a_retired_version_cannot_become_stable() -> None:
    first, _ = publish_version(release=make_release())
    second, _ = publish_version(release=make_release(), price=7)
    promote(version=second)
    retire_version(version=first)

    with pytest.raises(VersionRetired):
        promote(version=first)


def test_a_draft_serves_nobody() -> None:
    draft, is_new = publish_version(release=make_release(), is_draft=True)

    assert (is_new, draft.is_draft) == (True, True)
    assert MLModel.objects.get(slug="toy").stable is None
    for number in (None, 1):
        with pytest.raises(ModelNotFound):
            find_version(slug="toy", number=number)


def test_a_draft_that_is_published_serves_and_the_first_becomes_stable() -> None:
    draft, _ = publish_version(release=make_release(), is_draft=True)

    release_draft(version=draft)

    assert find_version(slug="toy") == draft
    assert find_version(slug="toy", number=1).is_published


def test_a_later_draft_that_is_published_waits_to_be_promoted() -> None:
    first, _ = publish_version(release=make_release())
    draft, _ = publish_version(release=make_release(), price=7, is_draft=True)

    release_draft(version=draft)

    assert find_version(slug="toy") == first
    assert find_version(slug="toy", number=2) == draft


def test_a_draft_is_published_once() -> None:
    draft, _ = publish_version(release=make_release(), is_draft=True)
    release_draft(version=draft)

    with pytest.raises(VersionNotDraft):
        release_draft(version=draft)


def test_publishing_a_release_that_is_a_draft_publishes_the_draft() -> None:
    draft, _ = publish_version(release=make_release(), is_draft=True)

    same, is_new = publish_version(release=make_release())

    assert (same, is_new, same.is_published) == (draft, True, True)
    assert publish_version(release=make_release(), is_draft=True) == (draft, False)
    assert find_version(slug="toy") == draft
