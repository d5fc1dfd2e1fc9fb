"""A page says in the reader's language why money was refused; the API says it in English."""

import re
from collections.abc import Callable
from inspect import isclass
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils.translation import override

from accounts.models import User
from billing import errors
from billing.adjustments import adjust, approve_adjustment, reject_adjustment
from billing.errors import UnsignedEvent
from billing.low_balance import set_low_balance_threshold
from billing.models import MAX_AMOUNT, Hold, PendingAdjustment, TopUp, Wallet
from billing.providers import check_provider
from billing.services import (
    Resolution,
    check_reason,
    correct,
    grant,
    pay_top_up,
    place_hold,
    refund,
    reject_top_up,
    resolve_holds,
    set_spending_cap,
)
from billing.top_ups import check_decidable, expire_top_up, start_top_up
from mlservice.lib.errors import DomainError
from mlservice.lib.idempotency import IdempotencyInFlight, IdempotencyMismatch
from mlservice.lib.ids import new_id

CYRILLIC = re.compile("[а-яё]", re.IGNORECASE)
# What a Russian sentence may quote: numbers, and the name of a provider.
LATIN = re.compile(r"\b(?!nowhere|stripe|demo|manual)[A-Za-z]{2,}")


class Books:
    """A wallet of 1,000 credits, and what its refusals need."""

    def __init__(self, owner: User, operator: User) -> None:
        self.wallet, self.operator = owner.wallet, operator
        self.used = new_id()

    def purse(self, **fields: int) -> Wallet:
        for name, value in fields.items():
            setattr(self.wallet, name, value)
        return self.wallet

    def hold(self, amount: int = 5, **fields: int) -> Hold:
        wallet = self.purse(**fields)
        return place_hold(wallet=wallet, amount=amount, reference=("test", str(uuid4())))

    def give_back(self, amount: int, *, times: int = 1) -> None:
        hold = self.hold()
        resolve_holds([Resolution(hold.pk, 5)])
        for _ in range(times):
            refund(hold_id=hold.pk, amount=amount, reason="Why", actor_id=self.operator.pk)

    def change(self, act: Callable[..., object], amount: int, **fields: Any) -> None:
        wanted = {"reason": "Why", "adjustment_id": new_id(), **fields}
        act(wallet_id=self.wallet.pk, amount=amount, actor_id=self.operator.pk, **wanted)

    def change_twice(self) -> None:
        for _ in range(2):
            self.change(grant, 5, adjustment_id=self.used)

    def ask(self) -> PendingAdjustment:
        self.change(adjust, 20_000, kind="grant", adjustment_id=self.used)
        return PendingAdjustment.objects.get(pk=self.used)

    def decide_twice(self) -> None:
        for _ in range(2):
            reject_adjustment(adjustment_id=self.ask().pk, actor_id=self.operator.pk)

    def approve_own(self) -> None:
        approve_adjustment(adjustment_id=self.ask().pk, actor_id=self.operator.pk)

    def pending(self, amount: int = 5) -> TopUp:
        return start_top_up(wallet=self.wallet, amount=amount, provider="manual")

    def close_twice(self, close: Callable[..., object], **fields: str) -> None:
        top_up = self.pending()
        for _ in range(2):
            close(top_up_id=top_up.pk, **fields)

    def decide_card(self) -> None:
        TopUp.objects.update(provider="stripe")
        check_decidable(TopUp.objects.get(wallet=self.wallet).pk)

    def many(self) -> None:
        for _ in range(11):
            self.pending()


REFUSALS: dict[str, Callable[[Books], object]] = {
    "frozen": lambda books: books.hold(shortfall=7),
    "poor": lambda books: books.hold(2_000),
    "capped": lambda books: books.hold(spending_cap=4),
    "no grant": lambda books: books.change(grant, 0),
    "no correction": lambda books: books.change(correct, 0),
    "too much taken": lambda books: books.change(correct, -2_000),
    "too rich": lambda books: books.change(grant, MAX_AMOUNT),
    "no reason": lambda books: check_reason(" "),
    "changed twice": Books.change_twice,
    "asked twice": lambda books: [books.ask() for _ in range(2)],
    "decided twice": Books.decide_twice,
    "decided alone": Books.approve_own,
    "refund of nothing": lambda books: books.give_back(0),
    "refund of too much": lambda books: books.give_back(6),
    "refund repeated": lambda books: books.give_back(1, times=2),
    "no cap": lambda books: set_spending_cap(wallet_id=books.wallet.pk, cap=-1),
    "no threshold": lambda books: set_low_balance_threshold(wallet_id=1, threshold=0),
    "no top-up": lambda books: books.pending(0),
    "no provider": lambda books: check_provider("nowhere"),
    "paid twice": lambda books: books.close_twice(pay_top_up),
    "rejected twice": lambda books: books.close_twice(reject_top_up, note="No"),
    "expired twice": lambda books: books.close_twice(expire_top_up),
    "a card's": Books.decide_card,
    "too many": Books.many,
}


@pytest.mark.parametrize("refused", REFUSALS.values(), ids=REFUSALS)
def test_every_refusal_has_a_russian_and_an_english_wording(
    alice: User, staff: User, refused: Callable[[Books], object]
) -> None:
    with pytest.raises(DomainError) as caught:
        refused(Books(alice, staff))

    refusal = caught.value
    with override("ru"):
        assert CYRILLIC.search(str(refusal.detail))
        assert not LATIN.search(str(refusal.detail))
        assert not CYRILLIC.search(refusal.in_english)


def test_every_title_that_a_page_can_show_is_russian() -> None:
    every: list[Any] = [one for one in vars(errors).values() if isclass(one)]
    every += [IdempotencyInFlight, IdempotencyMismatch]

    with override("ru"):
        titles = [str(one.title) for one in every if one is not UnsignedEvent]

    assert len(titles) > 15
    assert [title for title in titles if LATIN.search(title)] == []


@pytest.mark.parametrize("language", ["en", "ru"])
def test_the_api_says_it_in_english_to_everybody(alice: User, api: Any, language: str) -> None:
    answer = api(alice).post(
        "/api/v1/wallet/top-ups",
        {"amount": 0},
        format="json",
        headers={"Accept-Language": language},
    )

    body = answer.json()
    assert body["title"] == "The amount is not valid"
    assert body["detail"] == body["errors"][0]["message"] == "A top-up is 1 to 1000000 credits."


def russian(client: Client) -> Client:
    client.cookies["django_language"] = "ru"
    return client


def test_the_form_of_a_top_up_says_it_in_russian(
    alice: User, page: Callable[[User], Client], settings: Any
) -> None:
    settings.TOP_UP_MAX_CREDITS = 100

    answer = russian(page(alice)).post("/wallet/top-up", {"amount": 500, "provider": "demo"})

    assert "Пополнение — от 1 до 100 кредитов." in answer.content.decode()


def test_the_operators_desk_says_it_in_russian(
    alice: User, staff: User, page: Callable[[User], Client]
) -> None:
    desk = russian(page(staff))
    wallet = alice.wallet
    wanted = {"id": str(new_id()), "kind": "correction", "amount": -2_000, "reason": "Why"}
    books = Books(alice, staff)

    adjusted = desk.post(f"/admin/billing/wallet/{wallet.pk}/adjust", wanted)
    decided = desk.post(
        "/admin/billing/pendingadjustment/",
        {"action": "approve", "_selected_action": [str(books.ask().pk)]},
        follow=True,
    )

    assert "Доступно кредитов: 1000, поэтому забрать 2000 нельзя." in adjusted.content.decode()
    assert "тот не может его одобрить" in decided.content.decode()


def test_a_refusal_that_no_form_caught_is_a_russian_page(
    alice: User, page: Callable[[User], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(user_id: int) -> Wallet:
        return Books(alice, alice).hold(2_000).wallet

    monkeypatch.setattr("billing.views.wallet_of", refuse)

    answer = russian(page(alice)).get("/wallet")

    assert answer.status_code == 402
    assert "<h1>Не хватает кредитов</h1>" in answer.content.decode()
    assert "Нужно кредитов: 2000, доступно: 1000." in answer.content.decode()
