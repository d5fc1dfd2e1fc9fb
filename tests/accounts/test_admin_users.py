"""The operators' desk for people: disabling, passwords, rights, and no deleting."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import User
from billing.models import Wallet
from tests.conftest import PASSWORD, make_user

NEW_PASSWORD = "another long and private phrase"
Page = Callable[[User], Client]


@pytest.fixture
def clerk(db: None) -> User:
    """An operator with the right to change users, and no more."""
    clerk = make_user("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(content_type__model="user"))
    return clerk


def form_of(client: Client, user: User) -> dict[str, object]:
    """Return the values that the change page was rendered with."""
    answer = client.get(f"/admin/accounts/user/{user.pk}/change/")
    initial = answer.context["adminform"].form.initial
    return {name: value for name, value in initial.items() if value not in (None, [], False)}


def test_a_client_cannot_enter(alice: User, page: Page) -> None:
    answer = page(alice).get("/admin/accounts/user/")

    assert answer.status_code == 302
    assert answer["Location"].startswith("/admin/login/")


def test_an_operator_disables_a_user(staff: User, alice: User, page: Page) -> None:
    client = page(staff)
    values = form_of(client, alice)
    del values["is_active"]

    answer = client.post(f"/admin/accounts/user/{alice.pk}/change/", values)

    alice.refresh_from_db()
    assert answer.status_code == 302
    assert not alice.is_active


def test_nobody_deletes_a_user(staff: User, alice: User, page: Page) -> None:
    answer = page(staff).post(f"/admin/accounts/user/{alice.pk}/delete/", {"post": "yes"})

    assert answer.status_code == 403
    assert User.objects.filter(pk=alice.pk).exists()


def test_an_operator_sets_a_password(staff: User, alice: User, page: Page) -> None:
    answer = page(staff).post(
        f"/admin/accounts/user/{alice.pk}/password/",
        {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "usable_password": "true"},
    )

    alice.refresh_from_db()
    assert answer.status_code == 302
    assert alice.check_password(NEW_PASSWORD)


def test_a_user_made_here_has_a_wallet(staff: User, page: Page) -> None:
    form = {
        "username": "carol",
        "email": "carol@example.com",
        "usable_password": "true",
        "password1": NEW_PASSWORD,
        "password2": NEW_PASSWORD,
    }

    answer = page(staff).post("/admin/accounts/user/add/", form)

    assert answer.status_code == 302
    assert Wallet.objects.filter(user__username="carol").exists()


def test_an_operator_who_is_no_superuser_gives_no_rights(
    clerk: User, alice: User, page: Page
) -> None:
    client = page(clerk)
    values = form_of(client, alice) | {"is_staff": "on", "is_superuser": "on"}

    client.post(f"/admin/accounts/user/{alice.pk}/change/", values)

    alice.refresh_from_db()
    assert not alice.is_staff
    assert not alice.is_superuser


def test_an_operator_who_is_no_superuser_sets_no_superusers_password(
    clerk: User, staff: User, page: Page
) -> None:
    answer = page(clerk).post(
        f"/admin/accounts/user/{staff.pk}/password/",
        {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "usable_password": "true"},
    )

    staff.refresh_from_db()
    assert answer.status_code == 403
    assert staff.check_password(PASSWORD)


def test_refresh_tokens_are_not_shown(staff: User, page: Page) -> None:
    answer = page(staff).get("/admin/token_blacklist/outstandingtoken/")

    assert answer.status_code == 404
