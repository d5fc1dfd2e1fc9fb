"""Signing in and out by the forms."""

from collections.abc import Callable

import pytest
from django.conf import settings
from django.test import Client

from accounts.models import User
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db

PageOf = Callable[[User], Client]


def test_signing_in_leads_to_the_page_that_was_asked_for(client: Client, alice: User) -> None:
    asked = client.get("/wallet")

    response = client.post(asked["Location"], {"username": "alice", "password": PASSWORD})

    assert asked["Location"] == "/sign-in?next=/wallet"
    assert response["Location"] == "/wallet"


def test_an_address_of_another_site_is_not_followed(client: Client, alice: User) -> None:
    address = "/sign-in?next=https://evil.example/"

    response = client.post(address, {"username": "alice", "password": PASSWORD})

    assert response["Location"] == "/dashboard"


def test_a_wrong_password_is_told_at_the_form(client: Client, alice: User) -> None:
    response = client.post("/sign-in", {"username": "alice", "password": "wrong"})

    assert response.status_code == 200
    assert response.context["form"].non_field_errors()


def test_too_many_wrong_passwords_pause_signing_in(client: Client, alice: User) -> None:
    for _ in range(settings.AXES_FAILURE_LIMIT):
        response = client.post("/sign-in", {"username": "alice", "password": "wrong"})

    assert response.status_code == 429
    assert "Signing in is paused" in response.content.decode()


def test_signing_out_needs_a_form_and_ends_the_session(page: PageOf, alice: User) -> None:
    signed_in = page(alice)

    by_link = signed_in.get("/sign-out")
    by_form = signed_in.post("/sign-out")

    assert by_link.status_code == 405
    assert by_form["Location"] == "/"
    assert "_auth_user_id" not in signed_in.session
