"""A request that is sent again finds what the first one made: one prediction, one hold."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import User
from billing.models import Hold, TopUp
from billing.services import wallet_of
from ml_models.models import ModelVersion
from predictions import runner
from predictions.models import Prediction


@pytest.fixture
def body(published_version: ModelVersion) -> dict[str, Any]:
    return {"model": "linear-regression", "input": published_version.example}


def sent(client: APIClient, body: Any, key: str | None, url: str = "/api/v1/predictions") -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post(url, body, format="json", headers=headers)


def test_the_same_key_and_body_give_the_same_prediction(
    alice: User, api: Callable[[User], APIClient], body: dict[str, Any]
) -> None:
    first = sent(api(alice), body, "order-1")
    again = sent(api(alice), dict(reversed(body.items())), "order-1")

    assert first.status_code == again.status_code == 202
    assert first.json()["id"] == again.json()["id"]
    assert "Idempotent-Replayed" not in first
    assert again["Idempotent-Replayed"] == "true"
    assert (Prediction.objects.count(), Hold.objects.count()) == (1, 1)


def test_a_replay_shows_the_prediction_as_it_is_now(
    alice: User, api: Callable[[User], APIClient], body: dict[str, Any]
) -> None:
    first = sent(api(alice), body, "order-1").json()
    runner.run([UUID(first["id"])])

    again = sent(api(alice), body, "order-1")

    assert again.status_code == 201
    assert again.json()["status"] == "succeeded"
    assert wallet_of(alice.pk).balance == 999


def test_another_body_under_the_same_key_is_refused(
    alice: User, api: Callable[[User], APIClient], body: dict[str, Any]
) -> None:
    sent(api(alice), body, "order-1")

    other = sent(api(alice), {**body, "metadata": {"a": "b"}}, "order-1")

    assert other.status_code == 422
    assert other.json()["code"] == "idempotency_mismatch"
    assert Prediction.objects.count() == 1


def test_a_key_belongs_to_its_user(
    alice: User, bob: User, api: Callable[[User], APIClient], body: dict[str, Any]
) -> None:
    mine = sent(api(alice), body, "order-1").json()

    theirs = sent(api(bob), body, "order-1")

    assert "Idempotent-Replayed" not in theirs
    assert theirs.json()["id"] != mine["id"]


def test_a_refusal_stores_nothing_so_the_key_is_free(
    alice: User, api: Callable[[User], APIClient], body: dict[str, Any]
) -> None:
    refused = sent(api(alice), {**body, "input": {}}, "order-1")

    accepted = sent(api(alice), body, "order-1")

    assert refused.status_code == 422
    assert accepted.status_code == 202
    assert "Idempotent-Replayed" not in accepted


@pytest.mark.parametrize("key", ["", "a" * 256, "two words", "ключ", "tab\there"])
def test_a_key_that_is_not_visible_ascii_is_refused(
    alice: User, api: Callable[[User], APIClient], body: dict[str, Any], key: str
) -> None:
    answer = sent(api(alice), body, key)

    assert answer.status_code == 400
    assert "Idempotency-Key" in answer.json()["detail"]
    assert not Prediction.objects.exists()


def test_a_retired_version_is_still_replayed(
    alice: User, api: Callable[[User], APIClient], body: dict[str, Any]
) -> None:
    first = sent(api(alice), body, "order-1").json()
    ModelVersion.objects.update(status="retired")

    again = sent(api(alice), body, "order-1")

    assert again.json()["id"] == first["id"]


def test_without_a_key_each_request_is_its_own(
    alice: User, api: Callable[[User], APIClient], body: dict[str, Any]
) -> None:
    ids = {sent(api(alice), body, None).json()["id"] for _ in range(2)}

    assert len(ids) == 2


def test_a_top_up_is_made_once_for_its_key(alice: User, api: Callable[[User], APIClient]) -> None:
    url, body = "/api/v1/wallet/top-ups", {"amount": 10}
    first = sent(api(alice), body, "buy-1", url)
    again = sent(api(alice), body, "buy-1", url)
    other = sent(api(alice), {"amount": 11}, "buy-1", url)

    assert first.json()["id"] == again.json()["id"]
    assert again["Idempotent-Replayed"] == "true"
    assert other.status_code == 422
    assert wallet_of(alice.pk).balance == 1_010


def test_a_double_click_buys_once_and_a_changed_form_buys_again(
    alice: User, page: Callable[[User], Client]
) -> None:
    form = {"nonce": "n-1", "amount": "10", "provider": "demo"}

    for _ in range(2):
        page(alice).post("/wallet/top-up", form)
    page(alice).post("/wallet/top-up", {**form, "amount": "20"})

    assert TopUp.objects.filter(wallet__user=alice, amount__lt=100).count() == 2
    assert wallet_of(alice.pk).balance == 1_030
