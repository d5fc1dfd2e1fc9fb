"""A top-up's own page and its receipt: the owner's, exact, and only where money was paid."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.translation import override

from accounts.models import User
from billing.models import LedgerEntry, TopUp
from billing.receipts import price
from billing.services import pay_top_up, record_reversal, wallet_of
from billing.top_ups import approve_top_up, decline_top_up, start_top_up

PageOf = Callable[[User], Client]


def make_pending(user: User, *, amount: int = 50) -> TopUp:
    return start_top_up(wallet=wallet_of(user.pk), amount=amount, provider="manual")


def text_of(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize(
    ("cents", "currency", "english", "russian"),
    [
        (150_001, "USD", "$1,500.01", "1 500,01 $"),
        (1_500, "JPY", "¥1,500", "1 500 ¥"),
        (1_500, "KWD", "KWD1.500", "1,500 KWD"),
        (5, "EUR", "€0.05", "0,05 €"),
    ],
)
def test_a_price_has_the_decimals_of_its_currency(
    cents: int, currency: str, english: str, russian: str
) -> None:
    written = []
    for language in ("en", "ru"):
        with override(language):
            written.append(price(cents, currency).replace("\xa0", " ").replace("\u202f", " "))

    assert written == [english, russian]


def test_a_receipt_says_who_paid_what_and_when(alice: User, page: PageOf, settings: Any) -> None:
    settings.CREDIT_PRICE_CENTS = 3
    top_up = start_top_up(wallet=wallet_of(alice.pk), amount=1_234, provider="demo")
    entry = LedgerEntry.objects.get(reference_id=str(top_up.pk))

    text = text_of(page(alice), f"/wallet/top-ups/{top_up.pk}/receipt")

    assert f"Receipt {entry.pk}" in text
    assert "alice, alice@example.com" in text
    assert "1,234" in text
    assert "$37.02" in text
    assert top_up.resolved_at is not None
    assert f"{top_up.resolved_at:%Y}" in text
    assert "Taken back" not in text


def test_a_receipt_says_what_was_taken_back(alice: User, page: PageOf) -> None:
    top_up = make_pending(alice, amount=1_000)
    pay_top_up(top_up_id=top_up.pk, payment_id="pay-1")
    record_reversal(
        provider="manual", payment_id="pay-1", external_id="back-1", cents=250, is_active=True
    )

    text = text_of(page(alice), f"/wallet/top-ups/{top_up.pk}/receipt")

    assert "Taken back" in text
    assert "250 credits, $2.50" in text


@pytest.mark.parametrize(
    ("reversals", "said"),
    [
        ([(100, True)], "33 credits, $1.00"),
        ([(2, True)], "0 credits, $0.02"),
        ([(100, True), (50, True), (1_000, False)], "50 credits, $1.50"),
        ([(1_000, True), (1_000, True)], "500 credits, $15.00"),
    ],
)
def test_what_was_taken_back_is_the_providers_money_not_the_rounded_credits(
    alice: User, page: PageOf, settings: Any, reversals: list[tuple[int, bool]], said: str
) -> None:
    settings.CREDIT_PRICE_CENTS = 3
    top_up = make_pending(alice, amount=500)
    pay_top_up(top_up_id=top_up.pk, payment_id="pay-1")
    for number, (cents, is_active) in enumerate(reversals):
        record_reversal(
            provider="manual",
            payment_id="pay-1",
            external_id=f"back-{number}",
            cents=cents,
            is_active=is_active,
        )

    assert said in text_of(page(alice), f"/wallet/top-ups/{top_up.pk}/receipt")


def test_what_is_not_paid_has_no_receipt(alice: User, staff: User, page: PageOf) -> None:
    rejected, pending = make_pending(alice), make_pending(alice)
    decline_top_up(top_up_id=rejected.pk, note="No money came", actor_id=staff.pk)

    answers = [
        page(alice).get(f"/wallet/top-ups/{top_up.pk}/receipt") for top_up in (rejected, pending)
    ]

    assert [answer.status_code for answer in answers] == [404, 404]


@pytest.mark.parametrize("suffix", ["", "/receipt"])
def test_a_stranger_and_an_unknown_top_up_get_404(
    alice: User, bob: User, staff: User, page: PageOf, suffix: str
) -> None:
    top_up = TopUp.objects.get(wallet__user=alice)

    answers = [
        page(bob).get(f"/wallet/top-ups/{top_up.pk}{suffix}"),
        page(staff).get(f"/wallet/top-ups/{top_up.pk}{suffix}"),
        page(alice).get(f"/wallet/top-ups/{uuid4()}{suffix}"),
    ]

    assert [answer.status_code for answer in answers] == [404, 404, 404]


@pytest.mark.parametrize("suffix", ["", "/receipt"])
def test_the_pages_of_a_top_up_need_a_sign_in(alice: User, client: Client, suffix: str) -> None:
    address = f"/wallet/top-ups/{TopUp.objects.get(wallet__user=alice).pk}{suffix}"

    assert client.get(address)["Location"] == f"/sign-in?next={address}"


def test_the_client_sees_state_and_note_on_pages_and_api(
    alice: User, staff: User, page: PageOf, api: Any
) -> None:
    top_up = make_pending(alice)
    decline_top_up(top_up_id=top_up.pk, note="No <money> came", actor_id=staff.pk)

    pages = [
        text_of(page(alice), address) for address in (f"/wallet/top-ups/{top_up.pk}", "/wallet")
    ]
    body = api(alice).get(f"/api/v1/wallet/top-ups/{top_up.pk}").json()

    assert all("No &lt;money&gt; came" in text and "failed" in text for text in pages)
    assert (body["status"], body["note"]) == ("failed", "No <money> came")


def test_what_the_service_notes_itself_is_not_shown_as_a_note(alice: User, page: PageOf) -> None:
    top_up = TopUp.objects.get(wallet__user=alice)

    assert "Demo payment" not in text_of(page(alice), f"/wallet/top-ups/{top_up.pk}")


def test_the_wallet_and_the_top_up_link_to_the_receipt_once_paid(
    alice: User, staff: User, page: PageOf
) -> None:
    top_up = make_pending(alice)
    link = f'href="/wallet/top-ups/{top_up.pk}/receipt"'
    addresses = ["/wallet", f"/wallet/top-ups/{top_up.pk}"]
    before = [link in text_of(page(alice), address) for address in addresses]

    approve_top_up(top_up_id=top_up.pk, note="", actor_id=staff.pk)

    assert before == [False, False]
    assert [link in text_of(page(alice), address) for address in addresses] == [True, True]


def test_both_pages_speak_russian(alice: User, page: PageOf) -> None:
    top_up = TopUp.objects.get(wallet__user=alice)
    signed_in = page(alice)
    signed_in.cookies["django_language"] = "ru"

    texts = [text_of(signed_in, f"/wallet/top-ups/{top_up.pk}{end}") for end in ("", "/receipt")]

    assert "Пополнение" in texts[0]
    assert "Квитанция" in texts[1]


def test_the_wallet_costs_the_same_queries_for_one_top_up_and_for_ten(
    alice: User, staff: User, page: PageOf
) -> None:
    signed_in, counts = page(alice), []
    for more in (1, 9):
        for _ in range(more):
            approve_top_up(top_up_id=make_pending(alice).pk, note="Thanks", actor_id=staff.pk)
        with CaptureQueriesContext(connection) as queries:
            text_of(signed_in, "/wallet")
        counts.append(len(queries))

    assert counts[0] == counts[1]


def test_pages_of_a_top_up_cost_a_few_queries(alice: User, page: PageOf) -> None:
    top_up, signed_in = TopUp.objects.get(wallet__user=alice), page(alice)
    counts = []
    for end in ("", "/receipt"):
        with CaptureQueriesContext(connection) as queries:
            text_of(signed_in, f"/wallet/top-ups/{top_up.pk}{end}")
        counts.append(len(queries))

    # Session, user, wallet in the header, top-up; and the entry whose number the receipt has.
    assert counts == [4, 5]
