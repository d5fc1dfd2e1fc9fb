"""What a browser may run on the operators' desk and on the API's docs, and nowhere else."""

from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import User

Page = Callable[[User], Client]


def policy_of(client: Client, address: str) -> str:
    return client.get(address)["Content-Security-Policy"]


def test_the_desk_may_evaluate_its_own_expressions(staff: User, page: Page) -> None:
    policy = policy_of(page(staff), "/admin/")

    assert "script-src 'self' 'unsafe-eval'" in policy
    assert "script-src 'self' 'unsafe-eval' 'unsafe-inline'" not in policy


@pytest.mark.django_db
def test_the_docs_may_style_themselves_and_evaluate_nothing(client: Client) -> None:
    policy = policy_of(client, "/api/docs/")

    assert "style-src 'self' 'unsafe-inline'" in policy
    assert "unsafe-eval" not in policy


@pytest.mark.django_db
def test_the_rest_keeps_the_strict_policy(client: Client) -> None:
    assert "unsafe" not in policy_of(client, "/livez")


def test_every_page_of_the_desk_opens(staff: User, page: Page) -> None:
    client = page(staff)
    apps = client.get("/admin/").context["available_apps"]
    addresses = [model["admin_url"] for app in apps for model in app["models"]]

    codes = {address: client.get(address).status_code for address in addresses}

    assert len(codes) >= 10
    assert set(codes.values()) == {200}
