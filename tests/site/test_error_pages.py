"""What a person sees when there is no page, or the database is away."""

from collections.abc import Callable

import pytest
from django.conf import settings
from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.template.loader import get_template
from django.test import Client
from django.utils.translation import override

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


HEADINGS = {
    "en": {
        "403.html": "This is not open to you",
        "403_csrf.html": "This form has expired",
        "404.html": "There is no such page",
        "429.html": "Too many requests",
        "503.html": "The service is briefly unavailable",
    },
    "ru": {
        "403.html": "Сюда нет доступа",
        "403_csrf.html": "Форма устарела",
        "404.html": "Такой страницы нет",
        "429.html": "Слишком много запросов",
        "503.html": "Сервис ненадолго недоступен",
    },
}


@pytest.mark.parametrize("name", HEADINGS["en"])
@pytest.mark.parametrize("language", HEADINGS)
def test_an_error_page_says_its_number_what_it_is_and_where_to_go(language: str, name: str) -> None:
    with override(language):
        page = get_template(name).render()

    assert f'<p class="eyebrow">{name[:3]}</p>' in page
    assert f"<h1>{HEADINGS[language][name]}</h1>" in page
    assert 'href="/dashboard"' in page
    assert 'href="/"' in page


def test_the_page_of_our_own_mistakes_speaks_both_languages_and_asks_nothing() -> None:
    text = (settings.BASE_DIR / "templates" / "500.html").read_text()

    assert "Something went wrong" in text
    assert "Что-то пошло не так" in text
    assert "{%" not in text
    assert "{{" not in text
    assert 'href="/dashboard"' in text


def test_a_database_that_is_away_is_told_in_the_readers_language_with_a_way_to_try_again(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlservice.site.views.listed_versions", away)

    response = client.get("/?from=mail&again=1", headers={"accept-language": "ru"})

    page = response.content.decode()
    assert response.status_code == 503
    assert "Сервис ненадолго недоступен" in page
    assert '<a class="button" href="/?from=mail&amp;again=1">Попробовать снова</a>' in page


def test_what_was_sent_while_the_database_went_away_is_not_called_uncharged(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have been accepted: the answer alone was lost."""
    monkeypatch.setattr("mlservice.site.views.listed_versions", away)

    page = client.post("/").content.decode()

    assert "Nothing was charged" not in page
    assert "accepted all the same" in page
    assert "Try again" not in page


@pytest.mark.django_db
def test_a_limit_that_was_passed_says_what_it_was_and_when_it_ends(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlservice.lib.throttles.LetterThrottle.rate", "1/min", raising=False)
    client.post("/password", {"email": "nobody@example.com"})

    response = client.post("/password", {"email": "nobody@example.com"})

    page = response.content.decode()
    assert response.status_code == 429
    assert "Too many letters were asked for from here." in page
    seconds = int(response["Retry-After"])
    assert 0 < seconds <= 61
    assert f"It is possible again in {seconds} second" in page


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/v1/predictions/abc"])
def test_an_address_that_the_api_lacks_has_a_request_id_too(
    client: Client, db: None, path: str
) -> None:
    response = client.get(path, headers={"X-Request-ID": "of-the-proxy"})

    assert response.status_code == 404
    assert response["X-Request-ID"] == "of-the-proxy"
    assert response.json()["request_id"] == "of-the-proxy"
