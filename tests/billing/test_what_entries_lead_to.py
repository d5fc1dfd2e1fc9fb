"""Every entry of the wallet leads to what it paid for, on its page and in the statement."""

import re
from collections.abc import Callable
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from billing.models import TopUp
from billing.services import correct, grant, record_reversal, refund, wallet_of
from ml_models.models import ModelVersion
from predictions import runner
from tests.conftest import make_prediction

PageOf = Callable[[User], Client]


def addresses() -> list[str]:
    return ["/wallet", f"/wallet/statements/{timezone.now():%Y-%m}"]


def cells(client: Client, address: str) -> list[str]:
    """Return the first cell of each entry, newest first."""
    entries = client.get(address).content.decode().partition('id="entries"')[2]
    body = entries.partition("<tbody>")[2].partition("</tbody>")[0]
    return re.findall(r"<tr>\s*<td>(.*?)</td>", body, re.DOTALL)


@pytest.mark.parametrize("place", [0, 1])
def test_a_charge_and_its_refund_lead_to_the_prediction(
    page: PageOf, alice: User, staff: User, published_version: ModelVersion, place: int
) -> None:
    done = make_prediction(alice)
    runner.run([done.pk])
    refund(hold_id=done.hold_id, amount=1, reason="A wrong price", actor_id=staff.pk)

    refunded, charged, _ = cells(page(alice), addresses()[place])

    assert f'<a href="/predictions/{done.pk}">Refund</a>' in refunded
    assert "A wrong price" in refunded
    assert f'<a href="/predictions/{done.pk}">Prediction</a>' in charged


@pytest.mark.parametrize("place", [0, 1])
def test_a_top_up_and_its_reversal_lead_to_the_page_of_the_top_up(
    page: PageOf, alice: User, place: int
) -> None:
    paid = TopUp.objects.get(wallet__user=alice)
    TopUp.objects.filter(pk=paid.pk).update(payment_id="pay-1", provider="stripe")
    record_reversal(
        provider="stripe", payment_id="pay-1", external_id="r-1", cents=paid.cents, is_active=True
    )

    reversed_, bought = cells(page(alice), addresses()[place])

    assert f'<a href="/wallet/top-ups/{paid.pk}">Reversal</a>' in reversed_
    assert f'<a href="/wallet/top-ups/{paid.pk}">Top-up</a>' in bought


@pytest.mark.parametrize("place", [0, 1])
def test_a_grant_and_a_correction_tell_the_operators_reason(
    page: PageOf, alice: User, staff: User, place: int
) -> None:
    given = {"wallet_id": wallet_of(alice.pk).pk, "actor_id": staff.pk}
    grant(amount=5, reason="Welcome back", adjustment_id=uuid4(), **given)
    correct(amount=-2, reason="Counted twice", adjustment_id=uuid4(), **given)

    corrected, granted, _ = cells(page(alice), addresses()[place])

    assert "Counted twice" in corrected
    assert "Welcome back" in granted
    assert "<a" not in corrected + granted
