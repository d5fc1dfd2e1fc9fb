"""Signing up by the form: an account with its wallet, or the reason beside the field."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from accounts.models import User

pytestmark = pytest.mark.django_db

PageOf = Callable[[User], Client]

GOOD = {"username": "carol", "email": "carol@example.com", "password": "a long and private phrase"}


def test_a_new_client_gets_a_wallet_and_is_signed_in(client: Client) -> None:
    response = client.post("/sign-up", GOOD, headers={"accept-language": "ru"})

    carol = User.objects.get(username="carol")
    assert response.status_code == 302
    assert response["Location"] == "/wallet/top-up?next=%2Fpredictions%2Fnew"
    assert client.session["_auth_user_id"] == str(carol.pk)
    assert carol.wallet.balance == 0
    assert carol.language == "ru"


@pytest.mark.parametrize("change", [{"username": "ALICE"}, {"email": "Alice@example.com"}])
def test_a_taken_name_or_address_is_refused_at_the_form(
    client: Client, alice: User, change: dict[str, str]
) -> None:
    response = client.post("/sign-up", GOOD | change)

    assert response.status_code == 200
    assert response.context["form"].errors
    assert User.objects.count() == 1


def test_a_weak_password_is_refused_beside_its_field(client: Client) -> None:
    response = client.post("/sign-up", GOOD | {"password": "12345"})

    assert "password" in response.context["form"].errors
    assert not User.objects.exists()


def test_who_is_signed_in_is_sent_on(page: PageOf, alice: User) -> None:
    response = page(alice).get("/sign-up")

    assert response["Location"] == "/dashboard"


@pytest.mark.parametrize(
    ("asked", "goes_on"),
    [("/models/linear-regression", "/models/linear-regression"), ("//evil.example", None)],
)
def test_an_empty_wallet_is_filled_first_on_the_way_to_where_one_wanted(
    client: Client, asked: str, goes_on: str | None
) -> None:
    response = client.post(f"/sign-up?next={asked}", GOOD)

    way = parse_qs(urlsplit(response["Location"]).query)["next"]
    assert response["Location"].startswith("/wallet/top-up?")
    assert way == [goes_on or "/predictions/new"]


def test_a_wallet_that_is_filled_at_once_needs_no_top_up(client: Client, settings: Any) -> None:
    settings.SIGNUP_CREDITS = 5

    response = client.post("/sign-up?next=/models/linear-regression", GOOD)

    assert response["Location"] == "/models/linear-regression"
