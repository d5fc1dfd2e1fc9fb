"""Light, dark or as the system has it: kept in the browser, said in the page, without a script."""

from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

pytestmark = pytest.mark.django_db

SHEET = (Path(settings.BASE_DIR) / "static" / "site.css").read_text()


def test_a_page_follows_the_system_until_somebody_chooses(client: Client) -> None:
    page = client.get("/").content.decode()

    assert '<html lang="en">' in page
    assert '<meta name="color-scheme" content="light dark">' in page


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_choice_stays_and_comes_back(client: Client, theme: str) -> None:
    answer = client.post("/theme", {"theme": theme, "next": "/sign-in?next=/wallet"})

    page = client.get("/").content.decode()
    assert answer["Location"] == "/sign-in?next=/wallet"
    assert f'<html lang="en" data-theme="{theme}">' in page
    assert f'<meta name="color-scheme" content="{theme}">' in page
    assert f'value="{theme}" aria-current="true"' in page
    assert f':root[data-theme="{theme}"] {{ color-scheme: {theme}; }}' in SHEET


def test_a_choice_is_taken_back(client: Client) -> None:
    client.post("/theme", {"theme": "dark"})
    client.post("/theme", {"theme": ""})

    assert "data-theme" not in client.get("/").content.decode()


def test_a_cookie_of_nonsense_is_left_aside(client: Client) -> None:
    client.cookies["theme"] = '"><script>'

    page = client.get("/").content.decode()

    assert "data-theme" not in page
    assert '"><script>' not in page


@pytest.mark.parametrize("foreign", ["https://evil.example/", "//evil.example", ""])
def test_the_switch_leads_nowhere_else(client: Client, foreign: str) -> None:
    assert client.post("/theme", {"theme": "dark", "next": foreign})["Location"] == "/"


def test_the_switch_takes_a_post_with_its_mark(client: Client) -> None:
    forged = Client(enforce_csrf_checks=True).post("/theme", {"theme": "dark"})

    assert client.get("/theme").status_code == 405
    assert forged.status_code == 403
