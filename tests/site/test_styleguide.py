"""The style guide: every component in every state, for developers alone."""

from typing import Any

import pytest
from django.conf import settings
from django.test import Client

pytestmark = pytest.mark.django_db

PARTIALS = settings.BASE_DIR / "templates" / "partials"
# They make up the frame of every page, or belong to a navigation that the guide does not repeat.
OF_THE_FRAME = {"language", "theme", "nav_link", "purse"}


def test_it_shows_every_component(client: Client, settings: Any) -> None:
    settings.DEBUG = True

    answer = client.get("/styleguide/")

    used = {template.name for template in answer.templates}
    ours = {path.stem for path in PARTIALS.glob("*.html")} - OF_THE_FRAME
    assert answer.status_code == 200
    assert {f"partials/{name}.html" for name in ours} - used == set()


def test_it_shows_every_status_and_a_mistake(client: Client, settings: Any) -> None:
    settings.DEBUG = True

    page = client.get("/styleguide/").content.decode()

    for status in ("starting", "processing", "succeeded", "failed", "canceled"):
        assert f"badge--{status}" in page
    assert "field--wrong" in page
    assert "1,250 credits" in page


def test_where_people_are_served_there_is_none(client: Client) -> None:
    assert client.get("/styleguide/").status_code == 404
