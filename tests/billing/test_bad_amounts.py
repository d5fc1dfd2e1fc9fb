"""Amounts that are none: each gets a clear refusal by API and page, and nothing is written."""

from collections.abc import Callable

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import User
from billing.models import LedgerEntry, TopUp

BAD_JSON = ["0", "-1", "1e30", "0.5", '"ten"', "true", "null", str(2**63)]


@pytest.mark.parametrize("amount", BAD_JSON)
def test_the_api_refuses_it(alice: User, api: Callable[[User], APIClient], amount: str) -> None:
    written = (TopUp.objects.count(), LedgerEntry.objects.count())

    answer = api(alice).post(
        "/api/v1/wallet/top-ups",
        f'{{"amount": {amount}}}',
        content_type="application/json",
        headers={"Idempotency-Key": "bad-1"},
    )

    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert "amount" in str(answer.json()).lower() or "top-up is" in answer.json()["detail"]
    assert (TopUp.objects.count(), LedgerEntry.objects.count()) == written


@pytest.mark.parametrize(
    "amount",
    ["0", "-1", "1e30", "0.5", "ten", "true", "null", str(2**63), "", "1 0", "\u0661\u0660x"],
)
def test_the_page_refuses_it(alice: User, page: Callable[[User], Client], amount: str) -> None:
    written = (TopUp.objects.count(), LedgerEntry.objects.count())

    answer = page(alice).post("/wallet/top-up", {"amount": amount, "provider": "demo"})

    assert answer.status_code == 200
    assert answer.context["form"].errors
    assert (TopUp.objects.count(), LedgerEntry.objects.count()) == written
