"""A new address takes the password and a link that is opened there; the old one stays till then."""

from collections.abc import Callable
from typing import Any

from django.test import Client

from accounts.models import User
from accounts.services import sign_out_everywhere
from tests.accounts.links import letters, link_in_letter
from tests.conftest import PASSWORD, make_user

PageOf = Callable[[User], Client]
NEW = "alice@example.org"


def ask(client: Client, **changes: Any) -> Any:
    return client.post("/profile/email", {"email": NEW, "current_password": PASSWORD, **changes})


def test_the_address_changes_when_its_link_is_used(page: PageOf, alice: User) -> None:
    answer = ask(page(alice))
    alice.refresh_from_db()
    before = alice.email

    Client().post(link_in_letter("confirm_email", NEW))

    alice.refresh_from_db()
    assert (answer["Location"], before, alice.email) == ("/profile", "alice@example.com", NEW)
    assert alice.email_confirmed_at is not None


def test_the_old_address_is_told(page: PageOf, alice: User) -> None:
    ask(page(alice))

    Client().post(link_in_letter("confirm_email", NEW))

    assert NEW in letters("email_changed", "alice@example.com").get().body


def test_a_wrong_password_writes_to_nobody(page: PageOf, alice: User) -> None:
    answer = ask(page(alice), current_password="wrong")

    assert "current_password" in answer.context["form"].errors
    assert not letters("confirm_email", NEW).exists()


def test_an_address_that_somebody_has_is_refused(page: PageOf, alice: User, bob: User) -> None:
    answer = ask(page(alice), email="BOB@example.com")

    assert "email" in answer.context["form"].errors
    assert not letters("confirm_email", bob.email).exists()


def test_an_address_that_was_taken_meanwhile_is_not_given_twice(page: PageOf, alice: User) -> None:
    ask(page(alice))
    make_user("carol")
    User.objects.filter(username="carol").update(email=NEW)

    answer = Client().post(link_in_letter("confirm_email", NEW))

    alice.refresh_from_db()
    assert (answer.status_code, alice.email) == (410, "alice@example.com")


def test_a_link_is_good_for_one_change(page: PageOf, alice: User) -> None:
    client = page(alice)
    ask(client)
    first = link_in_letter("confirm_email", NEW)
    Client().post(first)
    ask(client, email="alice@example.net")
    Client().post(link_in_letter("confirm_email", "alice@example.net"))

    again = Client().post(first)

    alice.refresh_from_db()
    assert (again.status_code, alice.email) == (410, "alice@example.net")


def test_signing_out_everywhere_ends_a_change_under_way(page: PageOf, alice: User) -> None:
    ask(page(alice))

    sign_out_everywhere(user=alice)

    assert Client().post(link_in_letter("confirm_email", NEW)).status_code == 410


def test_a_disabled_user_changes_nothing(page: PageOf, alice: User) -> None:
    ask(page(alice))
    User.objects.filter(pk=alice.pk).update(is_active=False)

    assert Client().post(link_in_letter("confirm_email", NEW)).status_code == 410
