"""What a person sees when there is no page, or the database is away."""

from collections.abc import Callable

import pytest
from django.db import OperationalError
from django.template.loader import get_template
from django.test import Client

from accounts.models import User

PageOf = Callable[[User], Client]


@pytest.mark.django_db
def test_an_unknown_address_leads_back(page: PageOf, alice: User) -> None:
    response = page(alice).get("/nothing/here")

    assert response.status_code == 404
    assert "There is no such page" in response.content.decode()


def test_a_database_that_is_away_is_told_without_asking_it(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*args: object, **kwargs: object) -> None:
        raise OperationalError("server closed the connection")

    monkeypatch.setattr("mlservice.site.views.listed_versions", away)

    response = client.get("/")

    assert response.status_code == 503
    assert response["Retry-After"]
    assert "briefly unavailable" in response.content.decode()


@pytest.mark.parametrize("name", ["403.html", "403_csrf.html", "429.html", "500.html"])
def test_a_refusal_page_needs_no_context(name: str) -> None:
    assert "<h1>" in get_template(name).render()
