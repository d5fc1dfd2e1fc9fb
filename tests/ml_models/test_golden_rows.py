"""Goal: no version serves whose stored artifact does not give what it gave when it was made."""

from typing import Any

import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from ml_models import artifacts, inference
from ml_models.errors import ArtifactIncompatible, GoldenRowsDiffer
from ml_models.golden import first_difference, replay
from ml_models.models import ModelVersion
from ml_models.pipeline.golden import MOST_ROWS, positions, shared
from ml_models.releases import read_release
from ml_models.services import break_version, check_again, publish_version
from tests.ml_models.builders import (
    dumped,
    ensure_built,
    make_artifact,
    make_classifier,
    make_estimator,
    make_foreign_version,
    make_real_version,
    make_release,
    make_version,
)

pytestmark = pytest.mark.django_db

GOLDEN = [
    {"input": {"width": 3.0, "age": 1.0}, "output": {"prediction": 7.0}},
    {"input": {"width": 1.0, "age": 0.5}, "output": {"prediction": 2.5}},
]


def changed(value: float) -> list[dict[str, Any]]:
    return [GOLDEN[0], {"input": GOLDEN[1]["input"], "output": {"prediction": value}}]


def classified(label: str, **probabilities: float) -> dict[str, Any]:
    return {"prediction": label, "probabilities": probabilities}


def test_a_release_that_gives_its_golden_rows_is_published_with_them() -> None:
    made, is_new = publish_version(release=make_release(golden_rows=GOLDEN))

    assert is_new
    assert ModelVersion.objects.get(pk=made.pk).golden_rows == GOLDEN


def test_a_release_that_gives_another_value_is_refused_with_row_and_difference() -> None:
    release = make_release(golden_rows=changed(2.75))

    with pytest.raises(GoldenRowsDiffer, match=r"Golden row 2: .* not 2\.75; they differ by 0\.25"):
        publish_version(release=release)

    assert not ModelVersion.objects.exists()


def test_it_is_the_stored_artifact_that_answers() -> None:
    swapped = make_artifact(dumped(make_estimator(slope=5.0)))

    with pytest.raises(GoldenRowsDiffer, match="Golden row 1"):
        publish_version(release=make_release(artifact=swapped, golden_rows=GOLDEN))


@pytest.mark.parametrize(("off", "is_refused"), [(1e-10, False), (1e-8, True)])
def test_a_value_may_differ_in_the_tenth_digit_and_not_before(off: float, is_refused: bool) -> None:
    right = [{"prediction": 1234.5}]

    said = first_difference([{"prediction": 1234.5 * (1 + off)}], right, is_label=False)

    assert bool(said) == is_refused


def test_what_cancels_out_is_measured_by_the_size_of_the_others() -> None:
    right = [{"prediction": 0.0}, {"prediction": 1e6}]

    nearly = [{"prediction": 1e-10}, {"prediction": 1e6}]
    not_nearly = [{"prediction": 1e-3}, {"prediction": 1e6}]

    assert first_difference(right, nearly, is_label=False) == ""
    assert "Golden row 1" in first_difference(right, not_nearly, is_label=False)


def test_no_number_is_no_answer() -> None:
    nothing = [{"prediction": float("nan")}]

    assert first_difference([{"prediction": 1.0}], nothing, is_label=False)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (classified("short", long=0.75, short=0.25), "the label 'short', not 'long'"),
        (classified("long", long=0.7500001, short=0.25), "probability of long is 0.7500001"),
        (classified("long", long=float("nan"), short=0.25), "probability of long is nan"),
        (classified("long", long=0.75), "knows the labels"),
        ({"prediction": "long"}, "knows the labels"),
    ],
)
def test_a_classifier_must_give_label_and_probabilities(answer: dict[str, Any], said: str) -> None:
    right = classified("long", long=0.75, short=0.25)

    assert said in first_difference([right], [answer], is_label=True)
    assert first_difference([right], [right], is_label=True) == ""


def test_an_estimator_that_cannot_answer_is_refused_in_words() -> None:
    narrow = make_artifact(dumped(LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0])))

    with pytest.raises(ArtifactIncompatible, match="golden rows cannot be predicted"):
        replay(make_release(artifact=narrow, golden_rows=GOLDEN))


def test_a_classifiers_golden_rows_are_replayed() -> None:
    artifact = make_artifact(dumped(make_classifier()))
    answers = classified("long", long=0.5, short=0.5)
    schema = {"type": "string", "enum": ["long", "short"], "x-probabilities": ["long", "short"]}

    with pytest.raises(GoldenRowsDiffer, match="Golden row 1: the probability of long"):
        replay(
            make_release(
                artifact=artifact,
                output_schema=schema,
                golden_rows=[{"input": {"width": 5.0, "age": 1.0}, "output": answers}],
            )
        )


def test_a_broken_version_that_answers_otherwise_stays_broken() -> None:
    version = make_version(golden_rows=GOLDEN)
    break_version(version_id=version.pk, reason="gone")
    version.refresh_from_db()
    version.golden_rows = changed(9.0)

    with pytest.raises(GoldenRowsDiffer):
        check_again(version=version)

    version.refresh_from_db()
    assert version.is_broken


def test_a_broken_version_that_answers_as_before_serves_again() -> None:
    version = make_version(golden_rows=GOLDEN)
    break_version(version_id=version.pk, reason="gone")
    version.refresh_from_db()

    check_again(version=version)

    version.refresh_from_db()
    assert version.status == "published"


def test_a_broken_version_whose_bytes_cannot_be_loaded_stays_broken() -> None:
    version = make_foreign_version(artifact=make_artifact(b"published, and yet no pickle"))
    break_version(version_id=version.pk, reason="gone")
    version.refresh_from_db()

    with pytest.raises(ArtifactIncompatible):
        check_again(version=version)

    version.refresh_from_db()
    assert version.is_broken


def test_what_is_published_already_is_not_replayed() -> None:
    release = make_release(golden_rows=GOLDEN)
    first, _ = publish_version(release=release)
    artifacts.stored_path(release.artifact.md5).unlink()

    assert publish_version(release=release) == (first, False)


@pytest.mark.parametrize("slug", ["random-forest", "linear-regression"])
def test_a_shipped_model_carries_golden_rows_that_its_schema_takes(slug: str) -> None:
    ensure_built()
    release = read_release(slug)

    version = make_real_version(slug)

    assert len(version.golden_rows) == MOST_ROWS
    assert {tuple(row["input"]) for row in release.golden_rows} == {
        tuple(release.input_schema["properties"])
    }
    assert len({row["output"]["prediction"] for row in version.golden_rows}) > 10
    inference.unload()


def test_golden_rows_are_spread_and_some_have_gaps() -> None:
    rows = pd.DataFrame({"size": [float(n) for n in range(99)] + [None]})

    chosen = positions(rows)

    assert len(chosen) == MOST_ROWS
    assert (chosen[0], chosen[-1]) == (0, 99)
    assert positions(rows[:3]) == [0, 1, 2]


def test_a_golden_value_keeps_the_digits_that_processors_share() -> None:
    assert shared(2757.123456789123) == 2757.1234568
