"""Goal: a token that was ended gets 401 for whatever it asks, although it is asked about late.

Method: each way to end a token meets each kind of body, a good one and those that are refused.
"""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
from django.conf import settings as real_settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from accounts.models import User
from accounts.services import sign_out_everywhere
from billing.models import Hold
from billing.services import wallet_of
from ml_models.models import ModelVersion
from mlservice.lib import keys, tokens
from mlservice.lib.idempotency import IdempotencyKey, fingerprint
from predictions import selectors
from predictions.models import Prediction
from tests.accounts.test_tokens_api import change_password, disable, sign_in
from tests.conftest import make_prediction

PATH = "/api/v1/predictions"

End = Callable[[User], None]
Body = Callable[[ModelVersion], Any]


def good(version: ModelVersion) -> Any:
    return {"model": version.model.slug, "input": version.example}


BODIES: dict[str, Body] = {
    "good": good,
    "rows that are invalid": lambda version: good(version) | {"input": {"nonsense": 1}},
    "too many rows": lambda version: good(version) | {"input": [version.example] * 1_001},
    "no model of this name": lambda version: good(version) | {"model": "nobody"},
    "no version of this number": lambda version: good(version) | {"version": 99},
    "explanations": lambda version: good(version) | {"explain": True},
    "a field that is wrong": lambda version: good(version) | {"explain": "perhaps"},
    "a list": lambda version: [1],
    "more than the wallet has": lambda version: good(version) | {"input": [version.example] * 999},
}


def close(user: User) -> None:
    sign_out_everywhere(user=user)


ENDS: dict[str, End] = {"signed out": close, "new password": change_password, "disabled": disable}
every_end = pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)


def bearing(token: object) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client


def token_of(user: User) -> str:
    return sign_in(Client(), user)["access"]


def assert_refused(answer: Any) -> None:
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert answer.json()["errors"] == []


def nothing_is_stored(user: User) -> bool:
    return not Prediction.objects.exists() and not Hold.objects.exists() and not held(user)


def held(user: User) -> int:
    return wallet_of(user.pk).held


@every_end
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "order-1"}], ids=["", "with a key"])
def test_an_ended_token_is_refused_whatever_the_body_is(
    alice: User, published_version: ModelVersion, end: End, body: Body, headers: dict[str, str]
) -> None:
    client = bearing(token_of(alice))
    end(alice)

    answer = client.post(PATH, body(published_version), format="json", headers=headers)

    assert_refused(answer)
    assert nothing_is_stored(alice)


@every_end
@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b'{"model": ', "application/json"),
        (b"\xff", "application/json"),
        (b"", "application/json"),
        (b"[" * 50 + b"]" * 50, "application/json"),
        (b" " * 1_048_577, "application/json"),
        (b"model=x", "application/x-www-form-urlencoded"),
    ],
    ids=["cut off", "no text", "empty", "deep", "large", "a form"],
)
def test_an_ended_token_is_refused_though_nobody_could_read_the_body(
    alice: User, published_version: ModelVersion, end: End, content: bytes, content_type: str
) -> None:
    client = bearing(token_of(alice))
    end(alice)

    answer = client.post(PATH, content, content_type=content_type)

    assert_refused(answer)


@every_end
@pytest.mark.parametrize(
    "headers",
    [
        {"Idempotency-Key": "not visible"},
        {"Cancel-After": "soon"},
        {"Prefer": "wait=5"},
        {"Prefer": "wait=nonsense"},
    ],
    ids=str,
)
def test_an_ended_token_is_refused_whatever_the_headers_are(
    alice: User, published_version: ModelVersion, end: End, headers: dict[str, str]
) -> None:
    client = bearing(token_of(alice))
    end(alice)

    answer = client.post(PATH, good(published_version), format="json", headers=headers)

    assert_refused(answer)
    assert nothing_is_stored(alice)


@every_end
@pytest.mark.parametrize("is_same_body", [True, False])
def test_an_ended_token_is_not_told_what_its_key_made(
    alice: User, published_version: ModelVersion, end: End, is_same_body: bool
) -> None:
    client, body = bearing(token_of(alice)), good(published_version)
    key = IdempotencyKey("order-1", fingerprint(body) if is_same_body else "0" * 64)
    make_prediction(alice, key=key)
    end(alice)

    answer = client.post(PATH, body, format="json", headers={"Idempotency-Key": "order-1"})

    assert_refused(answer)
    assert Prediction.objects.count() == 1


@every_end
def test_an_ended_token_is_not_told_how_busy_it_is(
    settings: Any, alice: User, published_version: ModelVersion, end: End
) -> None:
    client = bearing(token_of(alice))
    end(alice)
    settings.PREDICTION_BACKLOG_LIMIT = 0
    selectors.forget_backlog()

    assert_refused(client.post(PATH, good(published_version), format="json"))


def test_a_token_whose_user_is_gone_is_refused(published_version: ModelVersion) -> None:
    gone = User.objects.create_superuser("gone", "gone@example.com", "a long phrase")
    client = bearing(AccessToken.for_user(gone))
    gone.delete()

    assert_refused(client.post(PATH, good(published_version), format="json"))
    assert not Prediction.objects.exists()


def test_it_works_until_it_is_ended_and_others_go_on(
    alice: User, bob: User, published_version: ModelVersion
) -> None:
    client, other = bearing(token_of(alice)), bearing(token_of(bob))
    before = client.post(PATH, good(published_version), format="json")
    sign_out_everywhere(user=alice)

    after = client.post(PATH, good(published_version), format="json")
    others = other.post(PATH, good(published_version), format="json")

    assert [one.status_code for one in (before, after, others)] == [202, 401, 202]
    assert [Prediction.objects.for_user(user).count() for user in (alice, bob)] == [1, 1]
    assert (held(alice), held(bob)) == (1, 1)


def test_a_token_that_has_expired_is_refused_though_it_was_seen_before(
    monkeypatch: pytest.MonkeyPatch, alice: User, published_version: ModelVersion
) -> None:
    token = AccessToken.for_user(alice)
    token.set_exp(lifetime=timedelta(seconds=2))
    # How far clocks may be apart.
    monkeypatch.setattr(keys._backend, "leeway", 0)
    client, body = bearing(token), good(published_version)

    def ask() -> list[int]:
        predicted, read = client.post(PATH, body, format="json"), client.get("/api/v1/wallet")
        return [predicted.status_code, read.status_code]

    fresh = ask()
    # The library reads a clock of its own, so that it must really pass.
    time.sleep(max(0, token["exp"] + 0.1 - time.time()))

    assert (fresh, ask()) == ([202, 200], [401, 401])
    assert tokens._signed.cache_info().currsize > 0
    assert Prediction.objects.count() == 1


@pytest.mark.parametrize("path", [PATH, "/api/v1/wallet"])
def test_a_token_under_another_key_is_refused(
    alice: User, published_version: ModelVersion, path: str
) -> None:
    ours = AccessToken.for_user(alice)
    forged = jwt.encode(
        dict(ours.payload), "a key of somebody else, as long as it must be", "HS256"
    )
    unsigned = jwt.encode(dict(ours.payload), "", "none")
    secret = jwt.encode(dict(ours.payload), real_settings.SECRET_KEY, "HS256")
    assert bearing(ours).get("/api/v1/wallet").status_code == 200

    for token in (forged, unsigned, secret, str(ours)[:-2], f"{ours}x"):
        client = bearing(token)
        is_post = path == PATH
        for _ in range(2):
            body = good(published_version)
            answer = client.post(path, body, format="json") if is_post else client.get(path)
            assert_refused_token(answer)
    assert nothing_is_stored(alice)


def assert_refused_token(answer: Any) -> None:
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


def test_a_refresh_token_predicts_nothing(alice: User, published_version: ModelVersion) -> None:
    client = bearing(RefreshToken.for_user(alice))

    assert_refused_token(client.post(PATH, good(published_version), format="json"))
    assert nothing_is_stored(alice)


@pytest.mark.parametrize("claim", [None, "nobody"])
def test_a_token_that_names_no_user_is_refused(
    published_version: ModelVersion, claim: str | None
) -> None:
    token = AccessToken()
    if claim:
        token["user_id"] = claim

    assert_refused_token(bearing(token).post(PATH, good(published_version), format="json"))


def test_nobody_is_refused(published_version: ModelVersion) -> None:
    answer = APIClient().post(PATH, good(published_version), format="json")

    assert_refused_token(answer)


def words_of_an_accepted_request(client: APIClient, body: Any, **headers: str) -> list[str]:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        answer = client.post(PATH, body, format="json", headers=headers)
    assert answer.status_code == 202
    return [query["sql"] for query in queries]


def test_an_accepted_request_asks_about_its_user_within_the_transaction_alone(
    settings: Any, alice: User, published_version: ModelVersion
) -> None:
    # A prepared statement is sent by its name.
    settings.DATABASE_PREPARES = False
    client, body = bearing(AccessToken.for_user(alice)), good(published_version)
    words_of_an_accepted_request(client, body)

    asked = words_of_an_accepted_request(client, body)

    [locked] = [sql for sql in asked if "FOR UPDATE" in sql]
    assert [sql for sql in asked if "accounts_user" in sql] == [locked]
    assert locked.index("FOR UPDATE;") < locked.index("accounts_user")
    # The wallet locked, then read with its user; the hold placed and the prediction stored.
    assert len([sql for sql in asked if "SAVEPOINT" not in sql]) == 2


def test_the_number_of_queries_does_not_grow_with_the_rows(
    alice: User, published_version: ModelVersion
) -> None:
    client, body = bearing(AccessToken.for_user(alice)), good(published_version)
    words_of_an_accepted_request(client, body)

    one = words_of_an_accepted_request(client, body)
    many = words_of_an_accepted_request(client, body | {"input": [published_version.example] * 30})

    assert len(one) == len(many)
