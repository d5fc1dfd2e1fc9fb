"""Goal: from draft to stable and back, each step by one command that says what it did."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from ml_models.models import MLModel
from ml_models.services import publish_version
from tests.ml_models.builders import ensure_built, make_release

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def two_versions() -> None:
    for price in (3, 7):
        publish_version(release=make_release(), price=price)


def run(command: str, *arguments: str) -> str:
    said = StringIO()
    call_command(command, *arguments, stdout=said)
    return said.getvalue().strip()


def model() -> MLModel:
    return MLModel.objects.select_related("stable", "candidate").get(slug="toy")


def test_a_version_is_promoted_and_rolled_back() -> None:
    assert run("promote_model", "toy", "2") == "toy version 2 is stable"
    assert model().stable == model().versions.get(number=2)

    assert run("roll_back_model", "toy") == "toy version 1 is stable again"
    assert model().stable == model().versions.get(number=1)


def test_a_candidate_gets_its_share_and_loses_it() -> None:
    said = run("set_candidate", "toy", "2", "--share", "10")

    assert said == "toy version 2 serves 10% of the users"
    assert (model().candidate, model().candidate_share) == (model().versions.get(number=2), 10)

    run("set_candidate", "toy", "2", "--share", "0")
    assert model().candidate is None


@pytest.mark.parametrize(
    ("command", "because"),
    [
        (("promote_model", "toy", "9"), "no model 'toy' with a version 9"),
        (("roll_back_model", "toy"), "No version that was stable before"),
        (("roll_back_model", "other"), "no model 'other'"),
        (("set_candidate", "toy", "1", "--share", "10"), "stable version cannot be a candidate"),
        (("set_candidate", "toy", "2", "--share", "101"), "whole number of percent"),
        (("set_candidate", "toy", "2", "--share", "0"), "is not the candidate"),
    ],
)
def test_a_refusal_is_told(command: tuple[str, ...], because: str) -> None:
    with pytest.raises(CommandError, match=because):
        run(*command)


def test_a_draft_is_published_by_publishing_it_again() -> None:
    ensure_built()
    slug = "linear-regression"

    said = [run("publish_model", slug, *more) for more in (["--draft"], ["--draft"], [], [])]

    assert [line.partition(" version 1 ")[2] for line in said] == [
        "is a draft, 1 a row",
        "is a draft already, nothing to do, 1 a row",
        "published, 1 a row",
        "is published already, nothing to do, 1 a row",
    ]
    assert MLModel.objects.get(slug=slug).stable is not None
