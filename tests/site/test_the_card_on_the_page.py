"""Goal: a model's page says what the model is for and draws how good it is, for eyes and ears."""

import re
from html import unescape
from typing import Any

import pytest
from django.test import Client

from ml_models import drawing
from ml_models.models import Card, ModelVersion
from ml_models.selectors import card_of
from tests.ml_models.builders import make_classifier_version, make_version

pytestmark = pytest.mark.django_db

COEFFICIENTS: dict[str, Any] = {
    "kind": "coefficients",
    "target_function": "",
    "rows": [
        {"column": "width", "category": None, "function": "log", "value": 3.0},
        {"column": "age", "category": "new", "function": "", "value": -1.0},
    ],
}


def page_of(client: Client, slug: str, language: str = "en") -> str:
    answer = client.get(f"/models/{slug}", headers={"Accept-Language": language})
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def drawn(shown: str) -> list[str]:
    return re.findall(r'<svg class="chart".*?</svg>\s*</svg>', shown, flags=re.DOTALL)


def test_use_and_data_are_told(client: Client, forest_version: ModelVersion) -> None:
    shown = page_of(client, "random-forest")

    words = card_of(forest_version).words
    for name in ("intended_use", "not_for", "data", "licence"):
        assert words[name] in shown
    assert f'href="{words["origin"]}"' in shown
    assert "the same row again: 145" in shown
    assert "<dt>Rows</dt><dd>53,940</dd>" in shown


def test_they_are_told_in_russian(client: Client, forest_version: ModelVersion) -> None:
    shown = page_of(client, "random-forest", "ru")

    words = card_of(forest_version).words
    for name in ("intended_use", "not_for", "data", "licence"):
        assert words[f"{name}_ru"] in shown
        assert words[name] not in shown
    assert "та же строка повторно: 145" in shown


def test_every_chart_has_a_text_and_a_table_behind_it(
    client: Client, forest_version: ModelVersion
) -> None:
    shown = page_of(client, "random-forest")

    charts = drawn(shown)
    assert len(charts) == 2
    for chart in charts:
        title, about = re.findall(r'aria-labelledby="([\w-]+) ([\w-]+)"', chart)[0]
        assert re.search(rf'<title id="{title}">[^<]+</title>', chart)
        assert re.search(rf'<desc id="{about}">[^<]+</desc>', chart)
    plots = card_of(forest_version).plots
    folded = re.findall(r"<details.*?</details>", shown, flags=re.DOTALL)
    behind = [one for one in folded if "<table" in one]
    assert [table.count("<tr>") - 1 for table in behind] == [
        len(plots["predicted"]),
        len(plots["residuals"]),
    ]


@pytest.mark.parametrize("language", ["en", "ru"])
def test_places_are_plain_numbers_in_every_language(
    client: Client, published_version: ModelVersion, language: str
) -> None:
    shown = page_of(client, "linear-regression", language)

    names = "x|y|x1|x2|y1|y2|width|height|points|d"
    places = [value for svg in drawn(shown) for value in re.findall(rf' (?:{names})="(.*?)"', svg)]
    bars = re.findall(r'<rect class="chart__bar" x="(.*?)" y="0" width="(.*?)"', shown)
    assert len(places) > 100
    assert len(bars) == 23
    strange = [one for one in places if not re.fullmatch(r"[-\d., MhM%]+", one) or ",," in one]
    assert strange == []
    assert all(re.fullmatch(r"[\d.]+", one) for bar in bars for one in bar)


def test_no_style_stands_in_the_page(client: Client, published_version: ModelVersion) -> None:
    shown = page_of(client, "linear-regression")

    assert "style=" not in shown
    assert "<style" not in shown


def test_units_stand_at_the_axes(client: Client, forest_version: ModelVersion) -> None:
    shown = page_of(client, "random-forest")

    assert "Actual: Price, USD" in shown
    assert "Predicted: Price, USD" in shown
    assert "Actual minus predicted, USD" in shown


def test_a_coefficient_below_zero_goes_to_the_left_of_zero() -> None:
    version = make_version(plots={"influences": COEFFICIENTS})

    shown = drawing.drawn(card_of(version).plots, version)["influences"]

    assert shown["zero"] == 25
    assert [(row["x"], row["width"]) for row in shown["rows"]] == [(25, 75), (0, 25)]
    assert [row["title"] for row in shown["rows"]] == ["log(width)", "age: new"]
    assert [row["value"] for row in shown["rows"]] == ["3.0000", "-1.0000"]


def test_the_coefficients_of_a_classifier_speak_for_its_second_label(client: Client) -> None:
    make_classifier_version(("long", "short"), plots={"influences": COEFFICIENTS})

    assert "what is above zero speaks for short." in page_of(client, "toy")


def test_a_model_that_weighs_nothing_is_drawn_all_the_same(client: Client) -> None:
    nothing = [row | {"value": 0.0} for row in COEFFICIENTS["rows"]]
    make_version(plots={"influences": COEFFICIENTS | {"rows": nothing}})

    assert "What it goes by" in page_of(client, "toy")


def test_a_confusion_matrix_warms_what_is_frequent(client: Client) -> None:
    confusion = {"labels": ["long", "short"], "counts": [[8, 0], [1, 1]]}
    make_classifier_version(plots={"confusion": confusion}, metrics={"accuracy": 0.9})

    shown = page_of(client, "toy")

    cells = re.findall(r'heat-(\d)">(\d+)<', shown)
    assert cells == [("4", "8"), ("0", "0"), ("2", "1"), ("2", "1")]
    assert "Share of labels that are right" in shown


@pytest.mark.parametrize(
    ("bins", "low", "high"),
    [
        ([(-90, -2), (-2, 0), (0, 2), (2, 70)], -4, 4),
        ([(0, 1)], 0, 1),
        ([(-1, 0), (0, 50)], -1, 1),
    ],
)
def test_a_tail_is_as_wide_as_the_other_bars(
    bins: list[tuple[float, float]], low: float, high: float
) -> None:
    counted: list[dict[str, Any]] = [{"start": a, "end": b, "count": 1} for a, b in bins]

    scale = drawing.slots(counted)

    assert (scale.low, scale.high) == (low, high)


@pytest.mark.parametrize(
    "plots",
    [
        {"residuals": [{"start": 5e6, "end": 5e6, "count": 8}]},
        {"residuals": [{"start": 5e6, "end": 5e6, "count": 8}] * 3},
        {"predicted": [{"actual": 1e12, "low": 1e12, "middle": 1e12, "high": 1e12, "rows": 8}]},
        {"predicted": [{"actual": 3e15, "low": 3e15, "middle": 3e15, "high": 3e15, "rows": 8}]},
    ],
)
def test_a_card_of_one_value_far_from_zero_is_drawn(client: Client, plots: dict[str, Any]) -> None:
    version = make_version()
    Card.objects.filter(version=version).delete()
    Card.objects.create(version=version, plots=plots)

    assert len(drawn(page_of(client, "toy"))) == 1


def test_bins_without_a_width_do_not_say_how_wide_the_others_are() -> None:
    edges = [(10.0, 10.0), (10.0, 10.0), (10.0, 10.5), (10.5, 11.0)]

    scale = drawing.slots([{"start": a, "end": b, "count": 1} for a, b in edges])

    assert (scale.low, scale.high) == (9.5, 11.0)


def test_a_model_without_a_card_shows_no_empty_section(client: Client) -> None:
    make_version()

    shown = page_of(client, "toy")

    for heading in ("What it is for", "What it goes by", "What it learnt from", "The numbers"):
        assert heading not in shown
