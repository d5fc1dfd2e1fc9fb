"""The profile page: language and time zone, seen at once on the pages."""

from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import User

pytestmark = pytest.mark.django_db

PageOf = Callable[[User], Client]


def test_the_profile_needs_a_sign_in(client: Client) -> None:
    response = client.get("/profile")

    assert response["Location"] == "/sign-in?next=/profile"


def test_a_saved_language_is_spoken_from_the_next_page_on(page: PageOf, alice: User) -> None:
    signed_in = page(alice)

    signed_in.post("/profile", {"language": "ru", "time_zone": "Europe/Berlin"})

    alice.refresh_from_db()
    assert (alice.language, alice.time_zone) == ("ru", "Europe/Berlin")
    assert '<html lang="ru">' in signed_in.get("/profile").content.decode()


def test_an_unknown_time_zone_is_refused(page: PageOf, alice: User) -> None:
    response = page(alice).post("/profile", {"language": "en", "time_zone": "Mars/Olympus"})

    alice.refresh_from_db()
    assert "time_zone" in response.context["form"].errors
    assert alice.time_zone == "UTC"
