"""The wallet's page: what is there, what moved, and only one's own."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from billing.services import wallet_of
from billing.top_ups import start_top_up

pytestmark = pytest.mark.django_db

PageOf = Callable[[User], Client]


def queries_with(signed_in: Client) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert signed_in.get("/wallet").status_code == 200
    return len(queries)


def test_the_wallet_needs_a_sign_in(client: Client) -> None:
    response = client.get("/wallet")

    assert response["Location"] == "/sign-in?next=/wallet"


def test_the_wallet_shows_its_figures_and_entries(page: PageOf, alice: User) -> None:
    response = page(alice).get("/wallet")

    assert response.context["wallet"].available == 1_000
    assert "+1,000" in response.content.decode()


def test_a_stranger_sees_only_his_own_entries(page: PageOf, alice: User, bob: User) -> None:
    start_top_up(wallet=wallet_of(alice.pk), amount=777, provider="demo")

    response = page(bob).get("/wallet")

    assert [entry.amount for entry in response.context["page"]] == [1_000]
    assert "777" not in response.content.decode()


def test_an_empty_wallet_leads_to_the_top_up(page: PageOf, staff: User) -> None:
    response = page(staff).get("/wallet")

    assert "Nothing has moved yet" in response.content.decode()


def test_entries_are_cut_into_pages(page: PageOf, alice: User) -> None:
    for _ in range(29):
        start_top_up(wallet=wallet_of(alice.pk), amount=1, provider="demo")

    last = page(alice).get("/wallet?page=2")

    assert [entry.amount for entry in last.context["page"]] == [1, 1, 1, 1, 1_000]


def test_the_queries_do_not_grow_with_the_entries(page: PageOf, alice: User) -> None:
    signed_in = page(alice)
    for _ in range(2):
        start_top_up(wallet=wallet_of(alice.pk), amount=1, provider="demo")
    with_three = queries_with(signed_in)

    for _ in range(27):
        start_top_up(wallet=wallet_of(alice.pk), amount=1, provider="demo")

    assert queries_with(signed_in) == with_three
