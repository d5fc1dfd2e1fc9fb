"""Registration over the API."""

from typing import Any

import pytest

from accounts.models import User
from billing.models import Wallet

DETAILS = {"username": "ada", "email": "ada@example.com", "password": "a long and private phrase"}


def register(client: Any, **changes: Any) -> Any:
    body = {**DETAILS, **changes}
    return client.post("/api/v1/auth/register", body, content_type="application/json")


def test_a_client_registers_and_has_a_wallet(client: Any, db: None) -> None:
    answer = register(client)

    assert answer.status_code == 201
    user = User.objects.get(username="ada")
    assert answer.json() == {"id": user.pk, "username": "ada", "email": "ada@example.com"}
    assert Wallet.objects.get(user=user).balance == 0
    assert user.password != DETAILS["password"]


@pytest.mark.parametrize(
    "changes",
    [
        {"username": "ADA", "email": "x@example.com"},
        {"username": "eve", "email": "Ada@Example.com"},
    ],
)
def test_name_and_email_are_unique_without_regard_to_case(
    client: Any, db: None, changes: dict[str, str]
) -> None:
    register(client)

    answer = register(client, **changes)

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"password": "12345678"}, "password"),
        ({"password": "ada"}, "password"),
        ({"email": "no address"}, "email"),
        ({"username": ""}, "username"),
        ({"username": "a b\x00"}, "username"),
        ({"username": None}, "username"),
    ],
)
def test_bad_details_are_refused_by_field(
    client: Any, db: None, changes: dict[str, str], field: str
) -> None:
    answer = register(client, **changes)

    assert answer.status_code == 400
    assert field in {error["field"] for error in answer.json()["errors"]}
    assert User.objects.count() == 0


@pytest.mark.parametrize("body", ["", "null", "[]", "{", '"text"', '{"a": NaN}'])
def test_a_broken_body_is_a_problem(client: Any, db: None, body: str) -> None:
    answer = client.post("/api/v1/auth/register", body, content_type="application/json")

    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
