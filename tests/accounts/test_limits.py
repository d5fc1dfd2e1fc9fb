"""What keeps a stranger from guessing passwords, locking others out or farming accounts."""

from typing import Any

import pytest
from django.test import Client, RequestFactory

from accounts.models import User
from mlservice.lib.addresses import client_address
from tests.conftest import PASSWORD

TOKEN = "/api/v1/auth/token"
OWNER, STRANGER = "9.9.9.9", "6.6.6.6"


def guess(client: Any, user: User, address: str, password: str = "wrong") -> Any:
    return client.post(
        TOKEN,
        {"username": user.username, "password": password},
        content_type="application/json",
        headers={"X-Forwarded-For": address},
    )


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "6.6.6.6", "127.0.0.1"),
        (1, "6.6.6.6", "6.6.6.6"),
        (1, "1.2.3.4, 6.6.6.6", "6.6.6.6"),
        (2, "1.2.3.4, 6.6.6.6, 10.0.0.1", "6.6.6.6"),
        (1, "", "127.0.0.1"),
    ],
)
def test_the_address_is_the_one_our_own_proxy_saw(
    settings: Any, proxies: int, forwarded: str, address: str
) -> None:
    settings.PROXY_COUNT = proxies
    request = RequestFactory().get("/", headers={"X-Forwarded-For": forwarded})

    assert client_address(request) == address


def test_guessing_locks_the_guesser_and_not_the_owner(
    settings: Any, client: Any, alice: User
) -> None:
    settings.PROXY_COUNT = 1
    for _ in range(settings.AXES_FAILURE_LIMIT):
        guess(client, alice, STRANGER)

    locked = guess(client, alice, STRANGER)
    owner = guess(client, alice, OWNER, password=PASSWORD)

    assert (locked.status_code, locked.json()["code"]) == (429, "rate_limited")
    assert int(locked["Retry-After"]) > 0
    assert owner.status_code == 200


def test_accounts_are_not_opened_without_end(db: None) -> None:
    answers = [
        Client().post(
            "/sign-up",
            {
                "username": f"user{number}",
                "email": f"user{number}@example.com",
                "password": PASSWORD,
            },
        )
        for number in range(21)
    ]

    assert [answer.status_code for answer in answers] == [302] * 20 + [429]
    assert User.objects.count() == 20


def test_a_time_zone_that_does_not_exist_is_refused(alice: User) -> None:
    alice.time_zone = "Moscow"

    with pytest.raises(Exception, match="no such time zone"):
        alice.full_clean()
