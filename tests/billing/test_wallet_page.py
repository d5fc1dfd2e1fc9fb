"""The wallet's page: what is there, what moved, and only one's own."""

import re
from collections.abc import Callable
from typing import Any

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


def link(response: Any, rel: str) -> str:
    """Give the address of the page before or after, empty where there is none."""
    found = re.search(rf'rel="{rel}" href="([^"]+)"', response.content.decode())
    return "/wallet" + found[1].replace("&amp;", "&") if found else ""


def test_entries_are_cut_into_pages_that_lead_to_each_other(page: PageOf, alice: User) -> None:
    for amount in range(1, 60):
        start_top_up(wallet=wallet_of(alice.pk), amount=amount, provider="demo")
    client = page(alice)

    first = client.get("/wallet")
    second = client.get(link(first, "next"))
    last = client.get(link(second, "next"))

    amounts = [[entry.amount for entry in one.context["page"]] for one in (first, second, last)]
    assert amounts == [[*range(59, 34, -1)], [*range(34, 9, -1)], [*range(9, 0, -1), 1_000]]
    assert (link(first, "prev"), link(last, "next")) == ("", "")
    back = client.get(link(last, "prev"))
    assert back.context["page"] == second.context["page"]
    assert client.get(link(back, "prev")).context["page"] == first.context["page"]


@pytest.mark.parametrize("place", ["before=x", "after=x", "before=1", "after=0", "before=\0"])
def test_a_place_that_makes_no_sense_shows_the_newest(
    page: PageOf, alice: User, place: str
) -> None:
    response = page(alice).get(f"/wallet?{place}")

    assert [entry.amount for entry in response.context["page"]] == [1_000]


def test_the_queries_do_not_grow_with_the_entries(page: PageOf, alice: User) -> None:
    signed_in = page(alice)
    for _ in range(2):
        start_top_up(wallet=wallet_of(alice.pk), amount=1, provider="demo")
    with_three = queries_with(signed_in)

    for _ in range(27):
        start_top_up(wallet=wallet_of(alice.pk), amount=1, provider="demo")

    assert queries_with(signed_in) == with_three
