"""Goal: what is said of a version travels with it, is read by nothing but its card, and stays."""

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from drf_spectacular.generators import SchemaGenerator

from ml_models.models import Card, ModelVersion
from ml_models.pipeline.configuration import METRICS, read_json, read_params
from ml_models.releases import read_release
from ml_models.selectors import card_of, forget_found_versions
from ml_models.services import publish_version
from tests.ml_models.builders import ensure_built, make_release, make_version

pytestmark = pytest.mark.django_db

SAID = {"intended_use": "To try.", "intended_use_ru": "Попробовать.", "rows": 7}
DRAWN = {"residuals": [{"start": -1.0, "end": 1.0, "count": 7}]}


@pytest.mark.parametrize("slug", ["random-forest", "linear-regression"])
def test_a_release_of_the_pipeline_is_told_whole_and_in_both_languages(slug: str) -> None:
    ensure_built()
    counted = read_json(METRICS / "prepare.json")

    words = read_release(slug).words

    for name in ("intended_use", "not_for", "data", "licence"):
        assert words[name]
        assert words[f"{name}_ru"]
    assert words["origin"].startswith("https://")
    assert (words["rows"], words["training_rows"], words["test_rows"]) == (
        counted["rows"],
        counted["training"],
        counted["test"],
    )
    left_out = sum(rule["rows"] for rule in words["cleaning"])
    assert words["rows"] - left_out == words["training_rows"] + words["test_rows"]


def test_every_rule_of_cleaning_has_its_words() -> None:
    dropped = read_json(METRICS / "prepare.json")["dropped"]

    assert list(read_params()["data"]["cleaning"]) == list(dropped)


@pytest.mark.parametrize("slug", ["random-forest", "linear-regression"])
def test_the_plots_of_the_pipeline_are_of_all_test_rows_and_of_all_columns(slug: str) -> None:
    ensure_built()
    release = read_release(slug)
    rows = release.metrics["test_rows"]

    plots = release.plots

    assert sum(band["rows"] for band in plots["predicted"]) == rows
    assert sum(one["count"] for one in plots["residuals"]) == rows
    assert len(plots["residuals"]) <= 40
    told = {row["column"] for row in plots["influences"]["rows"]}
    assert told == set(release.input_schema["properties"])
    assert len(plots["influences"]["rows"]) <= 30


def test_the_card_is_kept_with_the_version_that_it_came_with() -> None:
    first = make_version(words=SAID, plots=DRAWN)
    second, _ = publish_version(release=make_release(words={"not_for": "Play."}), price=7)

    assert (card_of(first).words, card_of(first).plots) == (SAID, DRAWN)
    assert card_of(second).words == {"not_for": "Play."}


@pytest.mark.parametrize(
    "band",
    [
        {"actual": float("nan"), "low": 1.0, "middle": 1.0, "high": 1.0, "rows": 7},
        {"actual": 1.0, "low": 1.0, "middle": 1.0, "high": float("inf"), "rows": 7},
        {"actual": 0.0, "low": -1.7e308, "middle": 1.0, "high": 1.7e308, "rows": 7},
    ],
)
def test_a_plot_that_cannot_be_drawn_is_left_out_of_the_card(
    client: Client, band: dict[str, float]
) -> None:
    version = make_version(plots=DRAWN | {"predicted": [band]})

    assert card_of(version).plots == DRAWN
    assert client.get("/models/toy").status_code == 200


@pytest.mark.parametrize("change", [{"words": {}}, {"plots": {}}, {"words": SAID | {"rows": 8}}])
def test_a_card_refuses_to_change(change: dict[str, Any]) -> None:
    version = make_version(words=SAID, plots=DRAWN)

    with pytest.raises(IntegrityError, match="immutable"), transaction.atomic():
        Card.objects.filter(version=version).update(**change)


def test_a_version_of_before_there_were_cards_has_an_empty_one(client: Client) -> None:
    version = make_version()
    Card.objects.filter(version=version).delete()

    told = client.get("/api/v1/models/toy").json()["card"]

    assert told == {"plots": {}}
    assert client.get("/models/toy").status_code == 200


def test_publishing_again_gives_a_card_to_a_version_that_has_none() -> None:
    version = make_version()
    Card.objects.filter(version=version).delete()

    _, is_new = publish_version(release=make_release(words=SAID))

    assert not is_new
    assert card_of(version).words == SAID


def test_publishing_again_leaves_the_card_as_it_was() -> None:
    version = make_version(words=SAID, plots=DRAWN)

    publish_version(release=make_release(words={}))

    assert (card_of(version).words, card_of(version).plots) == (SAID, DRAWN)


@pytest.mark.parametrize("address", ["/api/v1/models/toy", "/api/v1/models/toy/versions/1"])
def test_the_api_tells_the_card(client: Client, address: str) -> None:
    make_version(words=SAID, plots=DRAWN)

    told = client.get(address).json()["card"]

    assert told == {"intended_use": "To try.", "rows": 7, "plots": DRAWN}


def test_the_api_tells_all_that_the_pipeline_says(client: Client) -> None:
    ensure_built()
    release = read_release("linear-regression")
    make_version(words=release.words, plots=release.plots)

    told = client.get("/api/v1/models/toy").json()["card"]

    english = {name: value for name, value in release.words.items() if not name.endswith("_ru")}
    reasons = [{"reason": one["reason"], "rows": one["rows"]} for one in english["cleaning"]]
    assert told == english | {"cleaning": reasons, "plots": release.plots}


@pytest.mark.parametrize("address", ["/", "/api/v1/models"])
def test_lists_of_models_read_no_card(client: Client, address: str) -> None:
    make_version(words=SAID, plots=DRAWN)
    forget_found_versions()

    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200

    assert len(queries) >= 1
    assert [one["sql"] for one in queries if "ml_models_card" in one["sql"]] == []


def test_the_card_is_described_field_by_field() -> None:
    schemas = SchemaGenerator().get_schema(request=None, public=True)["components"]["schemas"]

    assert "'#/components/schemas/Card'" in str(schemas["Version"]["properties"]["card"])
    assert set(schemas["Card"]["properties"]) >= {"intended_use", "not_for", "origin", "plots"}
    assert set(schemas["Plots"]["properties"]) == {
        "predicted",
        "residuals",
        "influences",
        "confusion",
    }
    assert schemas["Band"]["required"] == ["actual", "high", "low", "middle", "rows"]


def test_deleting_a_version_that_never_served_takes_its_card_along() -> None:
    make_version()
    draft, _ = publish_version(release=make_release(), price=9, is_draft=True)

    ModelVersion.objects.get(pk=draft.pk).delete()

    assert Card.objects.filter(pk=draft.pk).count() == 0
    assert Card.objects.count() == 1
