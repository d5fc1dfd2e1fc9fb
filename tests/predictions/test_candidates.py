"""Goal: quote, page and submission speak of one version, and a prediction keeps it."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import User
from ml_models.models import ModelVersion
from ml_models.pointers import clear_candidate, promote, set_candidate
from ml_models.releases import read_release
from ml_models.selectors import forget_found_versions
from ml_models.services import break_version, publish_version, set_price
from predictions import runner
from predictions.models import Prediction

Api = Callable[[User], APIClient]
PageOf = Callable[[User], Client]
SLUG = "linear-regression"


@pytest.fixture
def candidate(published_version: ModelVersion) -> ModelVersion:
    """The same estimator at 7 credits a row, for everybody who names no version."""
    version, _ = publish_version(release=read_release(SLUG), price=7)
    set_candidate(version=version, share=100)
    forget_found_versions()
    return version


def body(of: ModelVersion, **more: Any) -> dict[str, Any]:
    return {"model": SLUG, "input": of.example, **more}


def test_quote_page_form_and_submission_agree(
    alice: User, api: Api, page: PageOf, candidate: ModelVersion
) -> None:
    card = page(alice).get(f"/models/{SLUG}")
    chosen = page(alice).get("/predictions/new")
    form = page(alice).get("/predictions/new", {"model": SLUG})
    row = {f"column-{name}": value for name, value in candidate.example.items()}
    live = page(alice).post("/predictions/quote", {"model": SLUG, **row})
    quoted = api(alice).post("/api/v1/quotes", body(candidate), format="json").json()
    made = api(alice).post("/api/v1/predictions", body(candidate), format="json").json()

    assert [version.number for version in chosen.context["versions"]] == [2]
    assert {answer.context["version"].number for answer in (card, form)} == {2}
    assert live.context["quote"].price == 7
    assert (quoted["price"], quoted["cost"]) == (7, 7)
    assert (made["version"], made["price"]) == (2, 7)


def test_who_names_the_stable_version_gets_it(
    alice: User, api: Api, candidate: ModelVersion
) -> None:
    made = api(alice).post("/api/v1/predictions", body(candidate, version=1), format="json")

    assert (made.json()["version"], made.json()["price"]) == (1, 1)


def test_a_guest_sees_the_stable_version(client: Client, candidate: ModelVersion) -> None:
    assert client.get(f"/models/{SLUG}").context["version"].number == 1
    assert client.get(f"/api/v1/models/{SLUG}").json()["version"] == 1


@pytest.mark.parametrize("change", ["price", "promote", "take away"])
def test_a_prediction_keeps_the_version_and_the_price_it_was_accepted_with(
    alice: User, api: Api, candidate: ModelVersion, change: str
) -> None:
    made = api(alice).post("/api/v1/predictions", body(candidate), format="json").json()

    if change == "price":
        set_price(version=candidate, price=9)
    elif change == "promote":
        promote(version=candidate)
    else:
        clear_candidate(model=candidate.model)
    runner.run([Prediction.objects.get().pk])

    done = api(alice).get(f"/api/v1/predictions/{made['id']}").json()
    assert (done["status"], done["version"], done["price"], done["cost"]) == ("succeeded", 2, 7, 7)


def test_a_candidate_that_breaks_leaves_its_users_to_the_stable_version(
    alice: User, api: Api, candidate: ModelVersion
) -> None:
    break_version(version_id=candidate.pk, reason="gone")

    made = api(alice).post("/api/v1/predictions", body(candidate), format="json")

    assert made.status_code == 202
    assert (made.json()["version"], made.json()["price"]) == (1, 1)


def test_a_draft_is_unknown_to_clients(
    alice: User, api: Api, page: PageOf, published_version: ModelVersion
) -> None:
    draft, _ = publish_version(release=read_release(SLUG), price=7, is_draft=True)
    named = body(draft, version=draft.number)

    answers = [
        api(alice).post("/api/v1/predictions", named, format="json"),
        api(alice).post("/api/v1/quotes", named, format="json"),
        api(alice).get(f"/api/v1/models/{SLUG}/versions/{draft.number}"),
    ]
    form = page(alice).get(f"/predictions/new?model={SLUG}&version={draft.number}")

    assert {(one.status_code, one.json()["code"]) for one in answers} == {(404, "model_not_found")}
    assert form.status_code == 404
    assert not Prediction.objects.exists()
