"""Goal: a model that somebody brings can have a card as whole as those of the pipeline's own."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression

from ml_models.errors import NotPublishable
from ml_models.models import Card, ModelVersion
from ml_models.written import read_card
from tests.ml_models.houses import HOUSES, IS_DEAR, PRICES, SIZES, Told, columnar

pytestmark = pytest.mark.django_db

CARD = """
title_ru: Дома
description_ru: Цены домов
intended_use: To learn what a house may cost.
intended_use_ru: Узнать, сколько может стоить дом.
not_for: Castles.
data: Six houses.
origin: https://example.com/houses
licence: CC0
training_rows: 6
metrics: {mae: 12.5, "within a tenth": 0.9}
"""


@pytest.fixture
def line() -> Any:
    return LinearRegression().fit(SIZES.to_numpy(float), PRICES)


@pytest.fixture
def written(tmp_path: Path) -> Any:
    def write(text: str, name: str = "card.yaml") -> Path:
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


@pytest.fixture
def held_out(tmp_path: Path) -> Any:
    """Write the sample once more with a target, as rows that were held out."""

    def write(target: Any, rows: Any = SIZES) -> list[str]:
        rows.assign(price=target).to_csv(tmp_path / "held_out.csv", index=False)
        return [f"--held-out={tmp_path / 'held_out.csv'}", "--target=price"]

    return write


def card_of(version: ModelVersion) -> Card:
    return Card.objects.get(version=version)


def test_without_a_card_what_the_model_goes_by_is_told_all_the_same(bring: Any, line: Any) -> None:
    card = card_of(bring(line, SIZES))

    assert card.words == {}
    assert list(card.plots) == ["influences"]
    assert [row["column"] for row in card.plots["influences"]["rows"]] == list(SIZES)


def test_what_a_card_says_is_said_of_the_model(bring: Any, line: Any, written: Any) -> None:
    version = bring(line, SIZES, f"--card={written(CARD)}")

    words = card_of(version).words
    assert (words["intended_use"], words["not_for"]) == (
        "To learn what a house may cost.",
        "Castles.",
    )
    assert (words["data"], words["licence"], words["training_rows"]) == ("Six houses.", "CC0", 6)
    assert words["intended_use_ru"] == "Узнать, сколько может стоить дом."
    assert version.metrics == {"mae": 12.5, "within a tenth": 0.9}
    assert (version.model.title_ru, version.model.description_ru) == ("Дома", "Цены домов")
    assert not {"metrics", "title_ru"} & set(words)


def test_a_card_may_be_json(written: Any) -> None:
    said = {"not_for": "Castles.", "metrics": {"r2": 1}}

    read = read_card(written(json.dumps(said), "card.json"))

    assert (read.words, read.metrics) == ({"not_for": "Castles."}, {"r2": 1})


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("- a list", "must be a mapping"),
        ("intended_use: [", "cannot be read"),
        ("purpose: To learn.", "'purpose', which it does not have. It has: intended_use,"),
        ("intended_use: 7", "intended_use must be a text of 1 to 2000 letters"),
        (f"data: {'x' * 2_001}", "data must be a text of 1 to 2000 letters"),
        ("rows: many", "rows must be a whole number, not 'many'"),
        ("rows: true", "rows must be a whole number"),
        ("metrics: good", "metrics must be up to 30 names with numbers"),
        ("metrics: {r2: good}", "metric 'r2' must be a number, not 'good'"),
        ("metrics: {r2: .nan}", "metric 'r2' must be a number"),
        ("metrics: {r2: .inf}", "metric 'r2' must be a number"),
        ("metrics: {7: 1.0}", "metric 7 must be named"),
    ],
)
def test_a_card_that_says_what_no_card_says_is_refused(
    written: Any, text: str, complaint: str
) -> None:
    with pytest.raises(NotPublishable, match=complaint.replace("[", r"\[")):
        read_card(written(text))


def test_a_card_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotPublishable, match="cannot be read"):
        read_card(tmp_path / "nothing.yaml")


def test_a_title_that_is_too_long_in_russian_is_refused(
    bring: Any, line: Any, written: Any
) -> None:
    with pytest.raises(CommandError, match="title_ru"):
        bring(line, SIZES, f"--card={written('title_ru: ' + 'Д' * 101)}")

    assert not ModelVersion.objects.exists()


def test_rows_held_out_measure_a_regressor(bring: Any, line: Any, held_out: Any) -> None:
    missed = np.array([1.0, -1.0, 2.0, -2.0, 0.5, 0.0])
    target = line.predict(SIZES.to_numpy(float)) + missed

    version = bring(line, SIZES, *held_out(target))

    card = card_of(version)
    assert version.metrics["mae"] == pytest.approx(np.abs(missed).mean(), abs=0.01)
    assert version.metrics["test_rows"] == 6
    assert {"predicted", "residuals", "influences"} == set(card.plots)
    assert sum(one["count"] for one in card.plots["residuals"]) == 6


def test_a_table_by_name_is_measured_too(bring: Any, held_out: Any) -> None:
    forest = columnar(RandomForestRegressor(5, random_state=1)).fit(HOUSES, PRICES)

    version = bring(forest, HOUSES, *held_out(PRICES, HOUSES))

    expected = np.abs(forest.predict(HOUSES) - PRICES).mean()
    assert version.metrics["mae"] == pytest.approx(expected, abs=0.01)
    assert card_of(version).plots["influences"]["kind"] == "importances"


def test_rows_held_out_measure_a_classifier(bring: Any, held_out: Any) -> None:
    classifier = LogisticRegression().fit(SIZES.to_numpy(float), IS_DEAR)
    predicted = classifier.predict(SIZES.to_numpy(float))
    target = predicted.copy()
    target[0] = "dear" if predicted[0] == "cheap" else "cheap"

    version = bring(classifier, SIZES, *held_out(target))

    confusion = card_of(version).plots["confusion"]
    assert version.metrics["accuracy"] == pytest.approx(5 / 6, abs=1e-4)
    assert version.metrics["log_loss"] > 0
    assert confusion["labels"] == ["cheap", "dear"]
    assert sum(map(sum, confusion["counts"])) == 6
    assert sum(confusion["counts"][place][place] for place in (0, 1)) == 5


@pytest.mark.parametrize("labels", [("1", "2"), (1, 2), (1.0, 2.0), (False, True)])
def test_labels_are_known_however_a_file_writes_them(
    bring: Any, held_out: Any, labels: tuple[Any, Any]
) -> None:
    fitted = np.array([labels[0]] * 3 + [labels[1]] * 3)
    classifier = LogisticRegression(max_iter=1_000).fit(SIZES.to_numpy(float), fitted)

    version = bring(classifier, SIZES, *held_out(fitted))

    right = (classifier.predict(SIZES.to_numpy(float)) == fitted).mean()
    assert version.metrics["accuracy"] == pytest.approx(right, abs=1e-4)


def test_what_is_measured_counts_more_than_what_is_written(
    bring: Any, line: Any, written: Any, held_out: Any
) -> None:
    target = line.predict(SIZES.to_numpy(float))

    version = bring(line, SIZES, f"--card={written(CARD)}", *held_out(target))

    assert version.metrics["mae"] == pytest.approx(0, abs=1e-9)
    assert version.metrics["within a tenth"] == 0.9


@pytest.mark.parametrize(
    ("target", "complaint"),
    [
        (["x"] * 6, "'price' must be numbers"),
        ([1.0, None, 3.0, 4.0, 5.0, 6.0], "gaps in 'price'"),
        ([1.0, np.inf, 3.0, 4.0, 5.0, 6.0], "The held-out rows: .*infinity"),
    ],
)
def test_a_target_that_measures_nothing_is_refused(
    bring: Any, line: Any, held_out: Any, target: Any, complaint: str
) -> None:
    with pytest.raises(CommandError, match=complaint):
        bring(line, SIZES, *held_out(target))

    assert not ModelVersion.objects.exists()


def test_labels_that_the_estimator_has_not_are_refused(bring: Any, held_out: Any) -> None:
    classifier = LogisticRegression().fit(SIZES.to_numpy(float), IS_DEAR)

    with pytest.raises(CommandError, match="labels that the estimator has not: castle"):
        bring(classifier, SIZES, *held_out(["cheap"] * 5 + ["castle"]))


def test_a_single_row_does_not_measure(bring: Any, line: Any, held_out: Any) -> None:
    with pytest.raises(CommandError, match="do not say enough: r2 would be nan"):
        bring(line, SIZES, *held_out(PRICES[:1], SIZES[:1]))


def test_the_card_that_the_documentation_shows_is_one(written: Any) -> None:
    document = (Path(__file__).parents[2] / "docs" / "models.md").read_text()
    (shown,) = re.findall(r"^```yaml\n(.*?)^```$", document, flags=re.MULTILINE | re.DOTALL)

    said = read_card(written(shown))

    assert said.words["not_for"].startswith("Any other plant")
    assert said.metrics == {"accuracy": 0.97}
    assert set(said.model_words) == {"title_ru", "description_ru"}


def test_rows_that_lack_a_column_are_refused(bring: Any, line: Any, held_out: Any) -> None:
    with pytest.raises(CommandError, match="lack rooms"):
        bring(line, SIZES, *held_out(PRICES, SIZES.drop(columns="rooms")))


def test_held_out_rows_and_their_target_are_said_together(
    bring: Any, line: Any, held_out: Any
) -> None:
    for half in held_out(PRICES):
        with pytest.raises(CommandError, match="said together"):
            bring(line, SIZES, half)


def test_an_estimator_whose_weights_cannot_be_read_is_published_without_them(bring: Any) -> None:
    version = bring(Shy().fit(SIZES, PRICES), SIZES)

    assert card_of(version).plots == {}


class Shy(Told):
    @property
    def coef_(self) -> Any:
        raise RuntimeError("not for you")
