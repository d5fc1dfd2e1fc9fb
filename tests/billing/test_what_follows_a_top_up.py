"""What a client is told of a top-up: what comes next by each way to pay, and how it ended."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from billing.models import TopUp, Wallet
from billing.services import wallet_of
from billing.top_ups import start_top_up

PageOf = Callable[[User], Client]


def make_top_up(user: User, **fields: Any) -> TopUp:
    started = start_top_up(wallet=wallet_of(user.pk), amount=50, provider="manual")
    TopUp.objects.filter(pk=started.pk).update(**fields)
    return started


def shown(client: Client, top_up: TopUp) -> str:
    return client.get(f"/wallet/top-ups/{top_up.pk}").content.decode()


def test_the_form_says_what_follows_each_way_to_pay(
    page: PageOf, alice: User, settings: Any
) -> None:
    settings.TOP_UP_PROVIDERS = ["demo", "manual", "stripe"]

    text = page(alice).get("/wallet/top-up").content.decode()

    assert "the credits are in the wallet at once" in text
    assert "The credits come when it is approved" in text
    assert "as soon as Stripe reports the payment" in text


def test_the_form_is_silent_about_ways_that_are_not_offered(
    page: PageOf, alice: User, settings: Any
) -> None:
    settings.TOP_UP_PROVIDERS = ["manual"]

    text = page(alice).get("/wallet/top-up").content.decode()

    assert "Stripe" not in text
    assert "Nothing is really paid" not in text


@pytest.mark.parametrize(
    ("provider", "said"),
    [("manual", "when it is approved"), ("stripe", "as soon as Stripe reports the payment")],
)
def test_a_pending_top_up_says_what_it_waits_for_and_until_when(
    page: PageOf, alice: User, provider: str, said: str
) -> None:
    text = shown(page(alice), make_top_up(alice, provider=provider))

    assert said in text
    assert "expires, and nothing is credited" in text


def test_a_paid_one_says_where_the_credits_are(page: PageOf, alice: User) -> None:
    text = shown(page(alice), TopUp.objects.get(wallet__user=alice))

    assert "The credits went into the wallet." in text
    assert "when it is approved" not in text


@pytest.mark.parametrize("status", ["failed", "expired"])
def test_one_that_came_to_nothing_leads_to_another(page: PageOf, alice: User, status: str) -> None:
    text = shown(page(alice), make_top_up(alice, status=status, resolved_at=timezone.now()))

    assert "Nothing was credited." in text
    assert 'href="/wallet/top-up"' in text


def test_what_is_still_owed_of_a_reversed_payment_is_said(page: PageOf, alice: User) -> None:
    paid = TopUp.objects.get(wallet__user=alice)
    TopUp.objects.filter(pk=paid.pk).update(reversed=40, shortfall=40)

    assert "40 credits of it are still owed" in shown(page(alice), paid)


def test_a_frozen_wallet_is_explained_where_it_is_met(page: PageOf, alice: User) -> None:
    Wallet.objects.filter(user=alice).update(shortfall=1)
    client = page(alice)

    wallet, form = (client.get(at).content.decode() for at in ("/wallet", "/wallet/top-up"))

    assert "1 credit of a reversed payment is owed" in wallet
    assert "new predictions are refused" in wallet
    assert "the first 1 credit covers what is owed" in form
