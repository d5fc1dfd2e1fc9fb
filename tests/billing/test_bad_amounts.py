"""Amounts that are none: each gets a clear refusal by API and page, and nothing is written."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from accounts.models import User
from billing.models import Hold, LedgerEntry, PendingAdjustment, TopUp, Wallet
from billing.services import Resolution, place_hold, resolve_holds, wallet_of
from mlservice.lib.ids import new_id

PageOf = Callable[[User], Client]

BAD_JSON = ["0", "-1", "1e30", "0.5", '"ten"', "true", "null", str(2**63)]
BAD_TEXT = ["0", "-1", "1e30", "0.5", "ten", "true", "null", str(2**63)]
# A correction may take away, and a cap may be 0.
BAD_CORRECTIONS = [text for text in BAD_TEXT if text != "-1"]
BAD_CAPS = [text for text in BAD_TEXT if text != "0"]


def written() -> list[object]:
    """Everything that an amount could have changed."""
    tables = (Hold, LedgerEntry, PendingAdjustment, TopUp, Wallet)
    return [list(table.objects.order_by("pk").values()) for table in tables]


def charged_hold(user: User) -> Hold:
    hold = place_hold(wallet=wallet_of(user.pk), amount=100, reference=("prediction", "p"))
    resolve_holds([Resolution(hold.pk, 100)])
    return hold


@pytest.mark.parametrize("amount", BAD_JSON)
def test_the_api_refuses_it_as_a_top_up(
    alice: User, api: Callable[[User], APIClient], amount: str
) -> None:
    before = written()

    answer = api(alice).post(
        "/api/v1/wallet/top-ups",
        f'{{"amount": {amount}}}',
        content_type="application/json",
        headers={"Idempotency-Key": "bad-1"},
    )

    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert [error["field"] for error in problem["errors"]] == ["amount"]
    assert problem["errors"][0]["message"] in problem["detail"]
    assert written() == before


def test_a_refused_amount_leaves_its_key_free(
    alice: User, api: Callable[[User], APIClient]
) -> None:
    headers = {"Idempotency-Key": "bad-1"}
    client = api(alice)
    client.post("/api/v1/wallet/top-ups", {"amount": 0}, format="json", headers=headers)

    mended = client.post("/api/v1/wallet/top-ups", {"amount": 5}, format="json", headers=headers)

    assert mended.status_code == 201


@pytest.mark.parametrize("amount", [*BAD_TEXT, "", "1 0", "\u0661\u0660x"])
def test_the_page_refuses_it_as_a_top_up(alice: User, page: PageOf, amount: str) -> None:
    before = written()

    answer = page(alice).post("/wallet/top-up", {"amount": amount, "provider": "demo"})

    assert answer.status_code == 200
    assert list(answer.context["form"].errors) == ["amount"]
    assert written() == before


@pytest.mark.parametrize("cap", [*BAD_CAPS, "1 0"])
def test_the_page_refuses_it_as_a_spending_cap(alice: User, page: PageOf, cap: str) -> None:
    before = written()

    answer = page(alice).post("/wallet/cap", {"spending_cap": cap})

    assert answer.status_code == 200
    assert list(answer.context["form"].errors) == ["spending_cap"]
    assert written() == before


def test_a_cap_of_zero_is_taken_and_the_page_says_what_it_means(alice: User, page: PageOf) -> None:
    shown = page(alice).get("/wallet/cap").content.decode()
    answer = page(alice).post("/wallet/cap", {"spending_cap": "0"})

    assert "0: nothing can be spent." in shown
    assert answer.status_code == 302
    assert wallet_of(alice.pk).spending_cap == 0


@pytest.mark.parametrize(
    ("kind", "amount"),
    [
        *(("grant", amount) for amount in BAD_TEXT),
        *(("correction", amount) for amount in BAD_CORRECTIONS),
        *(("refund", amount) for amount in [*BAD_TEXT, "101"]),
        # More than is there, and more than a wallet holds.
        ("correction", "-1001"),
        ("grant", str(2**53 - 1)),
    ],
)
def test_the_operators_page_refuses_it_and_says_so_at_the_field(
    alice: User, staff: User, page: PageOf, kind: str, amount: str
) -> None:
    hold = charged_hold(alice)
    refund = reverse("admin:billing_hold_refund", args=[hold.pk])
    adjust = reverse("admin:billing_wallet_adjust", args=[hold.wallet_id])
    before = written()

    answer = page(staff).post(
        refund if kind == "refund" else adjust,
        {"id": str(new_id()), "kind": kind, "amount": amount, "reason": "Agreed by phone"},
    )

    assert answer.status_code == 200
    assert list(answer.context["form"].errors) == ["amount"]
    assert answer.context["form"].errors["amount"][0] in answer.content.decode()
    assert written() == before
