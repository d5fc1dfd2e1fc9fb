"""Keys are changed while the service runs: nobody is signed out, and an old key ends when told."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client, override_settings

from accounts.confirming import ask_to_confirm, confirm_email
from accounts.errors import LinkNotGood
from accounts.models import User
from accounts.passwords import find_reset, send_reset_link
from mlservice.lib import keys, tokens
from tests.accounts.links import link_in_letter
from tests.accounts.test_tokens_api import me, post, sign_in

OLD, NEW = "the key of yesterday, long enough for it", "the key of today, which is as long as it"
PageOf = Callable[[User], Client]


@pytest.fixture(autouse=True)
def fresh_signatures() -> Iterator[None]:
    """A process keeps what it has checked; one that was started with other keys has not."""
    tokens._signed.cache_clear()
    yield
    tokens._signed.cache_clear()


@pytest.fixture
def start_with(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have tokens handled as by a process that was started with these keys."""

    def start(key: str, *earlier: str) -> None:
        tokens._signed.cache_clear()
        monkeypatch.setattr(keys, "_backend", keys.Backend(key, *earlier))

    return start


def test_tokens_of_the_old_key_are_taken_while_it_is_named(
    client: Client, alice: User, start_with: Callable[..., None]
) -> None:
    start_with(OLD)
    old = sign_in(client, alice)

    start_with(NEW, "one between them, that is long enough", OLD)

    assert me(old["access"]).status_code == 200
    assert post(client, "token/refresh", refresh=old["refresh"]).status_code == 200


def test_what_a_refresh_gives_is_signed_with_the_new_key(
    client: Client, alice: User, start_with: Callable[..., None]
) -> None:
    start_with(OLD)
    old = sign_in(client, alice)
    start_with(NEW, OLD)
    new = post(client, "token/refresh", refresh=old["refresh"]).json()

    start_with(NEW)

    assert me(new["access"]).status_code == 200
    assert post(client, "token/refresh", refresh=new["refresh"]).status_code == 200


def test_a_key_that_is_named_no_more_opens_nothing(
    client: Client, alice: User, start_with: Callable[..., None]
) -> None:
    start_with(OLD)
    old = sign_in(client, alice)

    start_with(NEW)

    assert me(old["access"]).status_code == 401
    assert post(client, "token/refresh", refresh=old["refresh"]).status_code == 401


def test_an_earlier_key_makes_no_token_live_longer(
    alice: User, start_with: Callable[..., None]
) -> None:
    start_with(OLD)
    expired = keys.AccessToken.for_user(alice)
    expired.set_exp(lifetime=-timedelta(minutes=1))
    old = str(expired)

    start_with(NEW, OLD)

    assert me(old).status_code == 401


def test_nothing_is_signed_with_an_earlier_key(
    client: Client, alice: User, start_with: Callable[..., None]
) -> None:
    start_with(NEW, OLD)
    new = sign_in(client, alice)

    start_with(OLD)

    assert me(new["access"]).status_code == 401


def test_the_running_service_signs_with_the_key_of_its_settings() -> None:
    assert keys._backend.signing_key == settings.JWT_SIGNING_KEY
    assert keys.Backend("k" * 32).get_leeway() == timedelta(seconds=10)


@pytest.fixture
def after_the_change() -> Any:
    """The secret key is a new one, and the one of before is named beside it."""
    return override_settings(SECRET_KEY=NEW, SECRET_KEY_FALLBACKS=[settings.SECRET_KEY])


@pytest.fixture
def without_the_old_one() -> Any:
    return override_settings(SECRET_KEY=NEW, SECRET_KEY_FALLBACKS=[])


def test_who_is_signed_in_stays_so(
    page: PageOf, alice: User, after_the_change: Any, without_the_old_one: Any
) -> None:
    browser = page(alice)

    with after_the_change:
        during = browser.get("/profile").status_code
    with without_the_old_one:
        after = browser.get("/profile").status_code

    # Who came meanwhile has a session of the new key.
    assert (during, after) == (200, 200)


def test_who_did_not_come_meanwhile_signs_in_again(
    page: PageOf, alice: User, without_the_old_one: Any
) -> None:
    browser = page(alice)

    with without_the_old_one:
        answer = browser.get("/profile")

    assert answer.status_code == 302


def test_mailed_links_are_good_while_the_old_key_is_named(
    alice: User, after_the_change: Any, without_the_old_one: Any
) -> None:
    ask_to_confirm(user=alice, email="alice@new.example.com")
    token = link_in_letter("confirm_email", "alice@new.example.com").rpartition("/")[2]

    with without_the_old_one, pytest.raises(LinkNotGood):
        confirm_email(token=token)
    with after_the_change:
        confirm_email(token=token)

    alice.refresh_from_db()
    assert alice.email == "alice@new.example.com"


def test_a_link_to_a_new_password_is_good_while_the_old_key_is_named(
    alice: User, after_the_change: Any
) -> None:
    send_reset_link(email=alice.email)
    uid, token = link_in_letter("reset_password", alice.email).split("/")[-2:]

    with after_the_change:
        found = find_reset(uid=uid, token=token)

    assert found == alice
