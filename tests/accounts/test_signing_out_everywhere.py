"""Signing out everywhere ends every session and every token, and leaves the password."""

from collections.abc import Callable
from typing import Any

from django.test import Client

from accounts.models import User
from tests.accounts.test_tokens_api import me, post, sign_in
from tests.conftest import PASSWORD

PageOf = Callable[[User], Client]


def is_signed_in(client: Client) -> bool:
    return client.get("/profile").status_code == 200


def test_every_session_ends(page: PageOf, alice: User) -> None:
    here, there = page(alice), page(alice)

    answer = here.post("/profile/sign-out-everywhere")

    assert answer["Location"] == "/"
    assert (is_signed_in(here), is_signed_in(there)) == (False, False)


def test_access_and_refresh_tokens_end(page: PageOf, client: Client, alice: User) -> None:
    tokens = sign_in(client, alice)
    rotated = post(client, "token/refresh", refresh=sign_in(client, alice)["refresh"]).json()

    page(alice).post("/profile/sign-out-everywhere")

    for pair in (tokens, rotated):
        refused = post(client, "token/refresh", refresh=pair["refresh"])
        assert (me(pair["access"]).status_code, refused.status_code) == (401, 401)
        assert refused.json()["code"] == "unauthenticated"


def test_signing_in_again_works_by_page_and_by_token(
    page: PageOf, client: Client, alice: User
) -> None:
    page(alice).post("/profile/sign-out-everywhere")

    client.post("/sign-in", {"username": "alice", "password": PASSWORD})
    tokens = sign_in(Client(), alice)

    assert is_signed_in(client)
    assert me(tokens["access"]).status_code == 200
    refreshed = post(client, "token/refresh", refresh=tokens["refresh"])
    assert me(refreshed.json()["access"]).status_code == 200


def test_nobody_else_is_signed_out(page: PageOf, client: Client, alice: User, bob: User) -> None:
    tokens, bobs = sign_in(client, bob), page(bob)

    page(alice).post("/profile/sign-out-everywhere")

    assert is_signed_in(bobs)
    assert me(tokens["access"]).status_code == 200


def test_it_needs_a_form(page: PageOf, alice: User) -> None:
    signed_in = page(alice)

    assert signed_in.get("/profile/sign-out-everywhere").status_code == 405
    assert is_signed_in(signed_in)


def test_a_session_kept_under_an_older_key_ends_as_well(
    settings: Any, page: PageOf, alice: User
) -> None:
    old, ended = page(alice), page(alice)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "a newer key for tests only, long enough to satisfy every check"

    lived_on = is_signed_in(old)
    old.post("/profile/sign-out-everywhere")

    assert lived_on
    assert not is_signed_in(ended)
