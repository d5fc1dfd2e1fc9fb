"""What a provider takes back: in proportion, for the right top-up, and covered by what comes in."""

from typing import Any

import pytest

from accounts.models import User
from billing.models import Hold, LedgerEntry
from billing.services import (
    pay_top_up,
    record_reversal,
    refund,
    wallet_of,
)
from tests.billing.books import (
    charge,
    owing,
    pending,
    reverse,
)
from tests.conftest import make_user


def test_what_was_only_owed_is_forgiven_without_an_entry(db: None) -> None:
    carol = make_user("carol")
    pay_top_up(top_up_id=pending(carol, 500).pk, payment_id="pay_1")
    charge(carol, 500)
    reverse(500)
    entries = LedgerEntry.objects.count()

    top_up = reverse(500, is_active=False)

    assert top_up is not None
    assert (top_up.shortfall, top_up.reversed) == (0, 0)
    assert (wallet_of(carol.pk).balance, wallet_of(carol.pk).shortfall) == (0, 0)
    assert LedgerEntry.objects.count() == entries


def test_a_reversal_of_another_provider_or_payment_is_not_this_ones(db: None) -> None:
    carol = make_user("carol")
    pay_top_up(top_up_id=pending(carol, 500).pk, payment_id="pay_1")

    for provider, payment_id in (("stripe", "pay_1"), ("manual", "pay_2")):
        record_reversal(
            provider=provider,
            payment_id=payment_id,
            external_id=f"re_{provider}",
            cents=100,
            is_active=True,
        )
    reverse(50)

    assert wallet_of(carol.pk).balance == 450


@pytest.mark.parametrize(("cents", "taken"), [(100, 33), (50, 16), (1_499, 499), (2, 0)])
def test_a_part_of_a_price_takes_that_part_of_the_credits_rounded_down(
    settings: Any, db: None, cents: int, taken: int
) -> None:
    settings.CREDIT_PRICE_CENTS = 3
    carol = make_user("carol")
    pay_top_up(top_up_id=pending(carol, 500).pk, payment_id="pay_1")

    top_up = reverse(cents)

    assert top_up is not None
    assert (top_up.cents, top_up.reversed) == (1_500, taken)
    assert wallet_of(carol.pk).balance == 500 - taken


def test_of_two_reversals_the_one_that_is_undone_is_returned(db: None) -> None:
    carol = make_user("carol")
    pay_top_up(top_up_id=pending(carol, 500).pk, payment_id="pay_1")
    reverse(200)
    reverse(100, external_id="re_2")

    top_up = reverse(100, external_id="re_2", is_active=False)

    assert top_up is not None
    assert (top_up.reversed, wallet_of(carol.pk).balance) == (200, 300)


def test_free_credits_have_nothing_to_take_back(settings: Any, db: None) -> None:
    settings.CREDIT_PRICE_CENTS = 0
    carol = make_user("carol")
    pay_top_up(top_up_id=pending(carol, 500).pk, payment_id="pay_1")

    reverse(100)

    assert wallet_of(carol.pk).balance == 500


def test_what_is_owed_is_covered_from_the_oldest_top_up_on(db: None) -> None:
    carol = make_user("carol")
    first, second = pending(carol, 100), pending(carol, 100)
    pay_top_up(top_up_id=first.pk, payment_id="pay_1")
    pay_top_up(top_up_id=second.pk, payment_id="pay_2")
    charge(carol, 200)
    for number in (1, 2):
        record_reversal(
            provider="manual",
            payment_id=f"pay_{number}",
            external_id=f"re_{number}",
            cents=100,
            is_active=True,
        )

    pay_top_up(top_up_id=pending(carol, 150).pk)

    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.shortfall, second.shortfall) == (0, 50)
    assert (wallet_of(carol.pk).balance, wallet_of(carol.pk).shortfall) == (0, 50)


def test_a_wallet_covers_what_it_owes_itself_to_the_last_credit(db: None) -> None:
    carol, dave = owing("carol", 50, "pay_1"), owing("dave", 1, "pay_2")

    pay_top_up(top_up_id=pending(dave, 100).pk)

    assert (wallet_of(dave.pk).balance, wallet_of(dave.pk).shortfall) == (99, 0)
    assert (wallet_of(carol.pk).balance, wallet_of(carol.pk).shortfall) == (0, 50)


def test_a_refund_covers_what_is_owed_first(db: None, staff: User) -> None:
    carol = owing("carol", 50, "pay_1")
    hold = Hold.objects.get(wallet__user=carol)

    refund(hold_id=hold.pk, amount=30, reason="A mistake of ours", actor_id=staff.pk)

    assert (wallet_of(carol.pk).balance, wallet_of(carol.pk).shortfall) == (0, 20)
