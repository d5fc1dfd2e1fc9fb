"""Changing the password: the current one is asked for, and everything else is signed out."""

from collections.abc import Callable

import pytest
from django.conf import settings
from django.test import Client

from accounts.models import User
from tests.accounts.links import letters
from tests.accounts.test_tokens_api import me, post, sign_in
from tests.conftest import PASSWORD

PageOf = Callable[[User], Client]
NEW = "another long and private phrase"
FORM = {"current_password": PASSWORD, "password": NEW}


def test_this_browser_stays_signed_in_and_the_other_does_not(page: PageOf, alice: User) -> None:
    here, there = page(alice), page(alice)

    answer = here.post("/profile/password", FORM)

    alice.refresh_from_db()
    assert answer["Location"] == "/profile"
    assert alice.check_password(NEW)
    assert here.get("/profile").status_code == 200
    assert there.get("/profile")["Location"] == "/sign-in?next=/profile"


def test_tokens_end(page: PageOf, client: Client, alice: User) -> None:
    tokens = sign_in(client, alice)

    page(alice).post("/profile/password", FORM)

    assert me(tokens["access"]).status_code == 401
    assert post(client, "token/refresh", refresh=tokens["refresh"]).status_code == 401


def test_a_wrong_current_password_changes_nothing(page: PageOf, alice: User) -> None:
    answer = page(alice).post("/profile/password", FORM | {"current_password": "wrong"})

    alice.refresh_from_db()
    assert "current_password" in answer.context["form"].errors
    assert alice.check_password(PASSWORD)


def test_guessing_the_current_password_is_locked_out(page: PageOf, alice: User) -> None:
    signed_in = page(alice)
    for _ in range(settings.AXES_FAILURE_LIMIT):
        locked = signed_in.post("/profile/password", FORM | {"current_password": "wrong"})

    right = signed_in.post("/profile/password", FORM)

    alice.refresh_from_db()
    assert (locked.status_code, right.status_code) == (429, 429)
    assert alice.check_password(PASSWORD)


@pytest.mark.parametrize("weak", ["12345", "alice@example.com", ""])
def test_a_weak_password_is_refused_beside_its_field(page: PageOf, alice: User, weak: str) -> None:
    answer = page(alice).post("/profile/password", FORM | {"password": weak})

    alice.refresh_from_db()
    assert "password" in answer.context["form"].errors
    assert alice.check_password(PASSWORD)


def test_the_user_is_written(page: PageOf, alice: User) -> None:
    page(alice).post("/profile/password", FORM)

    letter = letters("password_changed", alice.email).get()
    assert letter.subject == "Your password was changed"
    assert NEW not in letter.body
