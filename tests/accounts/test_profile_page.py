"""The profile page: language and time zone, seen at once on the pages."""

from collections.abc import Callable
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils.formats import date_format

from accounts.models import User
from tests.conftest import PASSWORD

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


def test_names_are_kept(page: PageOf, alice: User) -> None:
    names = {"first_name": "Alice", "last_name": "Liddell"}

    page(alice).post("/profile", {"language": "en", "time_zone": "UTC", **names})

    alice.refresh_from_db()
    assert alice.get_full_name() == "Alice Liddell"


def test_times_are_shown_in_the_zone_that_was_chosen(page: PageOf, alice: User) -> None:
    signed_in = page(alice)
    made_at = alice.wallet.entries.get().created_at

    signed_in.post("/profile", {"language": "en", "time_zone": "Asia/Kathmandu"})

    shown = date_format(made_at.astimezone(ZoneInfo("Asia/Kathmandu")), "SHORT_DATETIME_FORMAT")
    assert shown in signed_in.get("/wallet").content.decode()


def test_zones_are_found_under_their_regions(page: PageOf, alice: User) -> None:
    drawn = page(alice).get("/profile").content.decode()

    assert '<optgroup label="Europe">' in drawn
    assert '<option value="America/Argentina/Buenos_Aires">Argentina/Buenos Aires</option>' in drawn


def test_the_switch_at_the_foot_is_remembered(page: PageOf, alice: User) -> None:
    page(alice).post("/language", {"language": "ru", "next": "/profile"})

    alice.refresh_from_db()
    assert alice.language == "ru"


@pytest.mark.parametrize("language", ["xx", "", "ru-RU-"])
def test_a_language_that_is_not_spoken_is_not_remembered(
    page: PageOf, alice: User, language: str
) -> None:
    page(alice).post("/language", {"language": language, "next": "/profile"})

    alice.refresh_from_db()
    assert alice.language == "en"


def test_signing_in_with_another_browser_speaks_the_language_that_was_chosen(
    client: Client, alice: User
) -> None:
    User.objects.filter(pk=alice.pk).update(language="ru")

    client.post("/sign-in", {"username": "alice", "password": PASSWORD})

    assert '<html lang="ru">' in client.get("/wallet").content.decode()


def test_signing_in_keeps_the_language_that_was_chosen_in_this_browser(
    client: Client, alice: User
) -> None:
    client.post("/language", {"language": "ru", "next": "/sign-in"})

    client.post("/sign-in", {"username": "alice", "password": PASSWORD})

    alice.refresh_from_db()
    assert alice.language == "ru"
    assert '<html lang="ru">' in client.get("/wallet").content.decode()


def test_signing_in_takes_no_language_from_a_cookie_that_names_none(
    client: Client, alice: User
) -> None:
    client.cookies["django_language"] = "xx"

    client.post("/sign-in", {"username": "alice", "password": PASSWORD})

    alice.refresh_from_db()
    assert (alice.language, client.cookies["django_language"].value) == ("en", "en")


def test_a_browser_that_chose_nothing_speaks_the_language_that_is_kept(
    page: PageOf, alice: User
) -> None:
    User.objects.filter(pk=alice.pk).update(language="ru")
    signed_in = page(alice)

    answer = signed_in.get("/wallet", headers={"accept-language": "en"})

    assert '<html lang="ru">' in answer.content.decode()
    assert answer["Content-Language"] == "ru"
    signed_in.cookies["django_language"] = "en"
    assert '<html lang="en">' in signed_in.get("/wallet").content.decode()
