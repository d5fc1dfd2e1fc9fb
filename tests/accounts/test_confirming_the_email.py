"""An address is confirmed by a letter; until then a quiet notice asks for it."""

from collections.abc import Callable
from datetime import timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client

from accounts.confirming import GOOD_FOR
from accounts.models import User
from mlservice.management.commands.seed_demo import demo_user
from tests.accounts.clock import set_clock
from tests.accounts.links import letters, link_in_letter
from tests.accounts.test_sign_up_page import GOOD
from tests.conftest import PASSWORD

PageOf = Callable[[User], Client]
NOTICE = "Please confirm your e-mail"


def signed_up(client: Client) -> User:
    client.post("/sign-up", GOOD)
    return User.objects.get(username="carol")


def test_a_new_client_is_written_and_asked_by_a_notice(client: Client, db: None) -> None:
    carol = signed_up(client)

    assert carol.email_confirmed_at is None
    assert letters("confirm_email", carol.email).count() == 1
    assert NOTICE in client.get("/dashboard").content.decode()
    assert NOTICE in client.get("/profile").content.decode()


def test_opening_the_link_changes_nothing_and_its_button_confirms(client: Client, db: None) -> None:
    carol = signed_up(client)
    link = link_in_letter("confirm_email", carol.email)

    opened = Client().get(link)
    carol.refresh_from_db()
    before = carol.email_confirmed_at
    pressed = Client().post(link)

    carol.refresh_from_db()
    assert (opened.status_code, before, pressed.status_code) == (200, None, 302)
    assert carol.email_confirmed_at is not None
    assert NOTICE not in client.get("/profile").content.decode()


def test_a_client_of_the_api_is_written_too(client: Client, db: None) -> None:
    client.post("/api/v1/auth/register", GOOD, content_type="application/json")

    assert letters("confirm_email", GOOD["email"]).count() == 1


def test_the_letter_is_sent_again_but_not_at_once(
    client: Client, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_clock(monkeypatch)
    carol = signed_up(client)
    set_clock(monkeypatch, timedelta(minutes=9))
    client.post("/profile/email/send")
    set_clock(monkeypatch, timedelta(minutes=10))
    client.post("/profile/email/send")

    assert letters("confirm_email", carol.email).count() == 2


def test_who_has_confirmed_is_not_written_again(page: PageOf, alice: User) -> None:
    page(alice).post("/profile/email/send")

    assert not letters("confirm_email", alice.email).exists()


def test_a_link_grows_old(client: Client, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    set_clock(monkeypatch)
    carol = signed_up(client)
    link = link_in_letter("confirm_email", carol.email)

    set_clock(monkeypatch, GOOD_FOR + timedelta(minutes=1))
    answer = client.post(link)

    carol.refresh_from_db()
    assert (answer.status_code, carol.email_confirmed_at) == (410, None)


def test_who_was_here_before_counts_as_confirmed(alice: User, bob: User) -> None:
    migration = import_module("accounts.migrations.0002_confirmed_addresses_and_sign_outs")
    User.objects.update(email_confirmed_at=None)
    User.objects.filter(pk=bob.pk).update(email="")

    migration.confirm_who_is_here(apps, connection.schema_editor())

    alice.refresh_from_db()
    bob.refresh_from_db()
    assert (alice.email_confirmed_at, bob.email_confirmed_at) == (alice.date_joined, None)


def test_demo_users_are_not_asked(db: None) -> None:
    demo = demo_user("demo-client", PASSWORD)

    assert demo.email_confirmed_at is not None
    assert not letters("confirm_email", demo.email).exists()


def test_a_forged_link_is_refused(client: Client, db: None) -> None:
    carol = signed_up(client)
    link = link_in_letter("confirm_email", carol.email)

    answer = client.post(link[:-1] + ("a" if link[-1] != "a" else "b"))

    assert answer.status_code == 410


def test_an_address_that_an_operator_typed_is_unconfirmed(
    staff: User, alice: User, page: PageOf
) -> None:
    client, address = page(staff), f"/admin/accounts/user/{alice.pk}/change/"
    initial = client.get(address).context["adminform"].form.initial
    values = {name: value for name, value in initial.items() if value not in (None, [], False)}

    client.post(address, values | {"email": "alice@example.org"})

    alice.refresh_from_db()
    assert (alice.email, alice.email_confirmed_at) == ("alice@example.org", None)
