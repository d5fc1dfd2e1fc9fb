"""Tokens: short access, refresh for one use, ended by what should end them."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from accounts.models import User
from tests.conftest import PASSWORD


def sign_in(client: Client, user: User) -> dict[str, str]:
    answer = client.post(
        "/api/v1/auth/token",
        {"username": user.username, "password": PASSWORD},
        content_type="application/json",
    )
    assert answer.status_code == 200
    tokens: dict[str, str] = answer.json()
    return tokens


def me(access: str) -> Any:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {access}")
    return client.get("/api/v1/me")


def post(client: Client, path: str, **body: str) -> Any:
    return client.post(f"/api/v1/auth/{path}", body, content_type="application/json")


def test_a_token_says_who_one_is(client: Client, alice: User) -> None:
    answer = me(sign_in(client, alice)["access"])

    assert answer.json() == {
        "id": alice.pk,
        "username": "alice",
        "email": "alice@example.com",
        "language": "en",
        "time_zone": "UTC",
    }


def test_a_wrong_password_gets_no_token(client: Client, alice: User) -> None:
    answer = post(client, "token", username="alice", password="wrong")

    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


def test_a_refresh_token_is_good_for_one_use(client: Client, alice: User) -> None:
    refresh = sign_in(client, alice)["refresh"]
    first = post(client, "token/refresh", refresh=refresh)

    second = post(client, "token/refresh", refresh=refresh)

    assert first.status_code == 200
    assert set(first.json()) == {"access", "refresh"}
    assert (second.status_code, second.json()["code"]) == (401, "unauthenticated")


def test_a_revoked_refresh_token_is_useless(client: Client, alice: User) -> None:
    refresh = sign_in(client, alice)["refresh"]

    revoked = post(client, "token/revoke", refresh=refresh)

    assert revoked.status_code == 204
    assert post(client, "token/refresh", refresh=refresh).status_code == 401


def change_password(user: User) -> None:
    user.set_password("another long phrase")
    user.save()


def disable(user: User) -> None:
    user.is_active = False
    user.save()


@pytest.mark.parametrize("end", [change_password, disable])
def test_what_ends_an_account_ends_its_tokens(
    client: Client, alice: User, end: Callable[[User], None]
) -> None:
    access = sign_in(client, alice)["access"]

    end(alice)

    assert me(access).status_code == 401


@pytest.mark.parametrize(
    "token",
    [
        "",
        "nonsense",
        "eyJhbGciOiJub25lIn0.eyJ1c2VyX2lkIjoxfQ.",
    ],
)
def test_a_forged_token_is_refused(alice: User, token: str) -> None:
    answer = me(token)

    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"


def test_a_refresh_token_is_no_access_token(client: Client, alice: User) -> None:
    assert me(sign_in(client, alice)["refresh"]).status_code == 401


def test_the_document_says_how_tokens_are_sent() -> None:
    document = SchemaGenerator().get_schema(request=None, public=True)

    assert document["paths"]["/api/v1/me"]["get"]["security"] == [{"jwtAuth": []}]
    scheme = document["components"]["securitySchemes"]["jwtAuth"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
