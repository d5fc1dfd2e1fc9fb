"""The API goes past what pages alone need, and pages keep all of it."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import translation
from rest_framework.test import APIClient

from accounts.models import User
from ml_models.models import ModelVersion
from mlservice.lib.middleware import API_POLICY

ApiOf = Callable[[User], APIClient]
PageOf = Callable[[User], Client]
POLICY = "Content-Security-Policy"

READS = [
    "/api/v1/me",
    "/api/v1/wallet",
    "/api/v1/models",
    "/api/v1/models/linear-regression",
    "/api/v1/predictions",
]
REFUSALS = [
    ("/api/v1/predictions/01980000-0000-7000-8000-000000000000", 404),
    ("/api/v1/predictions?status=nonsense", 400),
    ("/api/v1/nothing", 404),
]


def about_people(response: Any) -> list[str]:
    """Return what the headers say of a session or of a language."""
    varies = [one.strip().lower() for one in response.get("Vary", "").split(",")]
    told = [f"Vary: {one}" for one in varies if one in ("cookie", "accept-language")]
    return [*told, *(["Content-Language"] if "Content-Language" in response else [])]


@pytest.mark.parametrize("path", READS)
def test_answers_of_the_api_carry_its_policy_and_nothing_of_a_session(
    api: ApiOf, alice: User, published_version: ModelVersion, path: str
) -> None:
    answer = api(alice).get(path, headers={"Accept-Language": "ru"})

    assert answer.status_code == 200
    assert answer[POLICY] == API_POLICY
    assert (about_people(answer), dict(answer.cookies)) == ([], {})
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Frame-Options"] == "DENY"


def test_an_accepted_prediction_is_answered_likewise(
    api: ApiOf, alice: User, published_version: ModelVersion
) -> None:
    body = {"model": "linear-regression", "input": published_version.example}

    answer = api(alice).post("/api/v1/predictions", body, format="json")

    assert answer.status_code == 202
    assert answer[POLICY] == API_POLICY
    assert (about_people(answer), dict(answer.cookies)) == ([], {})


@pytest.mark.parametrize(("path", "status"), REFUSALS)
def test_refusals_of_the_api_carry_its_policy(
    api: ApiOf, alice: User, path: str, status: int
) -> None:
    answer = api(alice).get(path)

    assert (answer.status_code, answer[POLICY]) == (status, API_POLICY)
    assert answer["Content-Type"] == "application/problem+json"
    assert (about_people(answer), dict(answer.cookies)) == ([], {})


def test_who_is_not_signed_in_is_refused_with_the_policy(client: Client) -> None:
    answer = client.get("/api/v1/wallet")

    assert (answer.status_code, answer[POLICY]) == (401, API_POLICY)
    assert (about_people(answer), dict(answer.cookies)) == ([], {})


def test_the_session_of_a_browser_is_no_way_into_the_api(page: PageOf, alice: User) -> None:
    answer = page(alice).get("/api/v1/wallet")

    assert answer.status_code == 401
    assert (about_people(answer), dict(answer.cookies)) == ([], {})


@pytest.mark.parametrize("path", ["/", "/sign-in", "/models/linear-regression"])
def test_pages_keep_their_policy_and_their_language(
    client: Client, published_version: ModelVersion, path: str
) -> None:
    answer = client.get(path, headers={"Accept-Language": "ru"})

    assert answer.status_code == 200
    assert "default-src 'self'" in answer[POLICY]
    assert answer["Content-Language"] == "ru"
    assert "Vary: accept-language" in about_people(answer)


def test_a_page_of_who_is_signed_in_keeps_session_and_messages(page: PageOf, alice: User) -> None:
    answer = page(alice).get("/profile")

    assert answer.status_code == 200
    assert "Vary: cookie" in about_people(answer)
    assert hasattr(answer.wsgi_request, "htmx")
    assert hasattr(answer.wsgi_request, "_messages")


def test_the_docs_of_the_api_are_a_page(client: Client) -> None:
    answer = client.get("/api/docs/")

    assert answer.status_code == 200
    assert "default-src 'self'" in answer[POLICY]


def test_the_api_speaks_english_after_a_russian_page(
    client: Client, api: ApiOf, alice: User, published_version: ModelVersion
) -> None:
    signed_in, body = api(alice), {"model": "linear-regression"}
    before = signed_in.post("/api/v1/predictions", body, format="json").json()

    page = client.get("/sign-in", headers={"Accept-Language": "ru"})
    after = signed_in.post("/api/v1/predictions", body, format="json").json()

    assert page["Content-Language"] == "ru"
    assert before["detail"] == after["detail"] == "input: This field is required."


def test_the_api_leaves_its_thread_the_language_that_it_found(api: ApiOf, alice: User) -> None:
    with translation.override("ru"):
        api(alice).get("/api/v1/wallet")

        assert translation.get_language() == "ru"
