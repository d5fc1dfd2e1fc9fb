"""What a person sees when there is no page, or the database is away."""

from collections.abc import Callable

import pytest
from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.template.loader import get_template
from django.test import Client

from accounts.models import User

PageOf = Callable[[User], Client]


def away(*args: object, **kwargs: object) -> None:
    raise OperationalError("server closed the connection")


@pytest.mark.django_db
def test_an_unknown_address_leads_back(page: PageOf, alice: User) -> None:
    response = page(alice).get("/nothing/here")

    assert response.status_code == 404
    assert "There is no such page" in response.content.decode()


def test_a_database_that_is_away_is_told_without_asking_it(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlservice.site.views.listed_versions", away)

    response = client.get("/")

    assert response.status_code == 503
    assert response["Retry-After"]
    assert "briefly unavailable" in response.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/", "/dashboard", "/wallet", "/admin/", "/api/v1/models"])
def test_a_database_that_is_away_is_told_to_the_signed_in_too(
    page: PageOf, alice: User, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """Their session is read by middleware, before there is a view."""
    client = page(alice)
    client.raise_request_exception = False
    monkeypatch.setattr(BaseDatabaseWrapper, "cursor", away)

    response = client.get(path)

    assert response.status_code == 503
    assert response["Retry-After"]
    is_api = path.startswith("/api")
    assert response["Content-Type"].startswith("application/problem+json") == is_api
    assert "briefly unavailable" in response.content.decode()


@pytest.mark.django_db
def test_a_process_lives_and_is_not_ready_while_the_database_is_away(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BaseDatabaseWrapper, "cursor", away)

    answers = {path: client.get(path).status_code for path in ("/livez", "/readyz")}

    assert answers == {"/livez": 200, "/readyz": 503}


@pytest.mark.django_db
def test_a_mistake_of_ours_outside_a_view_is_a_500(
    page: PageOf, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError

    client = page(alice)
    client.raise_request_exception = False
    monkeypatch.setattr(BaseDatabaseWrapper, "cursor", wrong)

    response = client.get("/dashboard")

    assert response.status_code == 500
    assert "<h1>" in response.content.decode()


@pytest.mark.parametrize("name", ["403.html", "403_csrf.html", "429.html", "500.html"])
def test_a_refusal_page_needs_no_context(name: str) -> None:
    assert "<h1>" in get_template(name).render()
