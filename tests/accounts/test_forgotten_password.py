"""A forgotten password is set by a link: good once, for a while, telling nobody who is here."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from accounts.models import User
from accounts.passwords import send_reset_link
from tests.accounts.clock import set_clock
from tests.accounts.links import letters, link_in_letter
from tests.accounts.test_tokens_api import me, sign_in

PageOf = Callable[[User], Client]
NEW = {"password": "another long and private phrase"}


def ask(client: Client, email: str) -> Any:
    return client.post("/password", {"email": email})


def test_a_link_sets_the_password_and_signs_nobody_in(client: Client, alice: User) -> None:
    ask(client, alice.email)
    link = link_in_letter("reset_password", alice.email)

    shown = client.get(link)
    done = client.post(link, NEW)

    alice.refresh_from_db()
    assert (shown.status_code, done["Location"]) == (200, "/sign-in")
    assert alice.check_password(NEW["password"])
    assert "_auth_user_id" not in client.session
    assert letters("password_changed", alice.email).exists()


def test_sessions_and_tokens_end(client: Client, page: PageOf, alice: User) -> None:
    there, access = page(alice), sign_in(client, alice)["access"]
    ask(client, alice.email)

    client.post(link_in_letter("reset_password", alice.email), NEW)

    assert there.get("/profile").status_code == 302
    assert me(access).status_code == 401


def test_a_link_is_good_once(client: Client, alice: User) -> None:
    ask(client, alice.email)
    link = link_in_letter("reset_password", alice.email)
    client.post(link, NEW)

    again = client.post(link, {"password": "yet another private phrase"})

    alice.refresh_from_db()
    assert (client.get(link).status_code, again.status_code) == (410, 410)
    assert alice.check_password(NEW["password"])


def test_a_link_grows_old(client: Client, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    set_clock(monkeypatch)
    ask(client, alice.email)
    link = link_in_letter("reset_password", alice.email)
    age = timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT)

    set_clock(monkeypatch, age - timedelta(minutes=1))
    young = client.get(link)
    set_clock(monkeypatch, age + timedelta(minutes=1))
    old = client.post(link, NEW)

    assert (young.status_code, old.status_code) == (200, 410)


@pytest.mark.parametrize("link", ["/password/MQ/nonsense", "/password/!/x", "/password/OTk5/x-y"])
def test_a_link_that_is_none_is_refused(client: Client, alice: User, link: str) -> None:
    assert client.get(link).status_code == 410


def test_a_link_of_one_is_not_anothers(client: Client, alice: User, bob: User) -> None:
    ask(client, alice.email)
    token = link_in_letter("reset_password", alice.email).rpartition("/")[2]
    ask(client, bob.email)
    uid = link_in_letter("reset_password", bob.email).split("/")[2]

    answer = client.post(f"/password/{uid}/{token}", NEW)

    assert answer.status_code == 410


def test_the_answer_does_not_tell_whether_an_address_is_known(client: Client, alice: User) -> None:
    known = ask(client, alice.email)
    unknown = ask(client, "alicf@example.com")

    assert known.status_code == unknown.status_code == 200
    assert words(known).replace("alice@", "alicf@") == words(unknown)
    assert letters("reset_password", "alicf@example.com").count() == 0


def words(answer: Any) -> str:
    """Give the page without what is new on every page."""
    return re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", answer.content.decode())


def test_the_letter_goes_to_the_address_as_it_is_kept(client: Client, alice: User) -> None:
    ask(client, "ALICE@Example.com")

    assert letters("reset_password", "alice@example.com").count() == 1


def test_who_is_disabled_or_has_no_password_gets_no_link(
    client: Client, alice: User, bob: User
) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)
    bob.set_unusable_password()
    bob.save()

    ask(client, alice.email)
    ask(client, bob.email)

    assert not letters("reset_password", alice.email).exists()
    assert not letters("reset_password", bob.email).exists()


def test_asking_again_and_again_writes_one_letter_a_pause(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    for minute in (0, 1, 5, 9, 10):
        set_clock(monkeypatch, timedelta(minutes=minute))
        send_reset_link(email=alice.email)

    assert letters("reset_password", alice.email).count() == 2


def test_one_address_does_not_ask_for_letters_without_end(client: Client, db: None) -> None:
    answers = [ask(client, f"user{number}@example.com").status_code for number in range(21)]

    assert answers == [200] * 20 + [429]


def test_a_lock_out_neither_stops_a_reset_nor_is_ended_by_it(client: Client, alice: User) -> None:
    wrong = {"username": "alice", "password": "wrong"}
    for _ in range(settings.AXES_FAILURE_LIMIT):
        client.post("/sign-in", wrong)
    ask(client, alice.email)

    reset = client.post(link_in_letter("reset_password", alice.email), NEW)
    answer = client.post("/sign-in", {"username": "alice"} | NEW)

    alice.refresh_from_db()
    assert (reset.status_code, answer.status_code) == (302, 429)
    assert alice.check_password(NEW["password"])


def test_a_weak_password_is_refused_and_the_link_stays_good(client: Client, alice: User) -> None:
    ask(client, alice.email)
    link = link_in_letter("reset_password", alice.email)

    weak = client.post(link, {"password": "12345"})

    assert "password" in weak.context["form"].errors
    assert client.post(link, NEW).status_code == 302


def test_who_reads_the_letter_has_confirmed_the_address(client: Client, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(email_confirmed_at=None)
    ask(client, alice.email)

    client.post(link_in_letter("reset_password", alice.email), NEW)

    alice.refresh_from_db()
    assert alice.email_confirmed_at is not None


def test_the_letter_speaks_the_readers_language(client: Client, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(language="ru")

    ask(client, alice.email)

    assert letters("reset_password", alice.email).get().subject == "Задайте новый пароль"


def test_signing_in_leads_to_it(client: Client, db: None) -> None:
    assert 'href="/password"' in client.get("/sign-in").content.decode()
