"""Topping up by the form."""

from collections.abc import Callable

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from billing.models import TopUp
from billing.services import wallet_of

pytestmark = pytest.mark.django_db

PageOf = Callable[[User], Client]


def test_topping_up_needs_a_sign_in(client: Client) -> None:
    response = client.post("/wallet/top-up", {"amount": 5, "provider": "demo"})

    assert response["Location"] == "/sign-in?next=/wallet/top-up"
    assert not TopUp.objects.exists()


def test_a_demo_top_up_is_paid_at_once(page: PageOf, alice: User) -> None:
    signed_in = page(alice)

    response = signed_in.post("/wallet/top-up", {"amount": 500, "provider": "demo"})

    assert response["Location"] == "/wallet"
    assert wallet_of(alice.pk).balance == 1_500
    assert "Your credits are in the wallet." in signed_in.get("/wallet").content.decode()


def test_a_manual_top_up_waits_for_the_operator(page: PageOf, alice: User) -> None:
    signed_in = page(alice)

    signed_in.post("/wallet/top-up", {"amount": 500, "provider": "manual"})

    assert wallet_of(alice.pk).balance == 1_000
    assert "waits for the operator" in signed_in.get("/wallet").content.decode()


@pytest.mark.parametrize("amount", ["0", "-5", "1000001", "1.5", "many", ""])
def test_an_amount_outside_the_limits_is_refused_at_the_form(
    page: PageOf, alice: User, amount: str
) -> None:
    response = page(alice).post("/wallet/top-up", {"amount": amount, "provider": "demo"})

    assert "amount" in response.context["form"].errors
    assert wallet_of(alice.pk).balance == 1_000


def test_a_provider_that_is_not_offered_is_refused(page: PageOf, alice: User) -> None:
    response = page(alice).post("/wallet/top-up", {"amount": 5, "provider": "stripe"})

    assert "provider" in response.context["form"].errors


def test_a_refusal_of_the_service_is_said_at_the_form(
    page: PageOf, alice: User, settings: Settings
) -> None:
    settings.TOP_UP_MAX_CREDITS = 100

    response = page(alice).post("/wallet/top-up", {"amount": 500, "provider": "demo"})

    assert response.context["form"].non_field_errors() == ["A top-up is 1 to 100 credits."]


def test_too_many_pending_top_ups_are_said_at_the_form(
    page: PageOf, alice: User, settings: Settings
) -> None:
    settings.MAX_PENDING_TOP_UPS = 1
    signed_in = page(alice)
    signed_in.post("/wallet/top-up", {"amount": 500, "provider": "manual"})

    response = signed_in.post("/wallet/top-up", {"amount": 400, "provider": "manual"})

    [refusal] = response.context["form"].non_field_errors()
    assert "wait for its expiry" in refusal
    assert TopUp.objects.filter(status="pending").count() == 1
