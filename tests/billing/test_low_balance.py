"""A low balance is told once for each fall, by mail and on the pages, and again after recovery."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from billing import letters, low_balance
from billing.errors import InvalidAmount
from billing.low_balance import dismiss_low_balance, look_at_balances, set_low_balance_threshold
from billing.models import Wallet
from billing.services import Resolution, place_hold, resolve_holds, wallet_of
from billing.top_ups import start_top_up
from mlservice.lib.mail.models import Letter
from mlservice.lib.mail.outbox import send_letters
from tests.conftest import make_user

PageOf = Callable[[User], Client]
WARNING = "Credits run low"


def warn_below(user: User, threshold: int | None) -> None:
    set_low_balance_threshold(wallet_id=wallet_of(user.pk).pk, threshold=threshold)


def spend(user: User, amount: int) -> None:
    count = wallet_of(user.pk).holds.count()
    hold = place_hold(wallet=wallet_of(user.pk), amount=amount, reference=("test", f"{count}"))
    resolve_holds([Resolution(hold.pk, amount)])


def add(user: User, amount: int) -> None:
    start_top_up(wallet=wallet_of(user.pk), amount=amount, provider="demo")


def test_a_fall_is_told_once(alice: User, settings: Any) -> None:
    settings.SITE_URL = "https://ml.example.com"
    warn_below(alice, 500)
    spend(alice, 600)

    told = [look_at_balances(), look_at_balances()]

    assert told == [1, 0]
    send_letters()
    (message,) = mail.outbox
    assert (message.subject, message.to) == ("Your credits run low", ["alice@example.com"])
    assert "400 credits are left in your wallet, below the 500" in message.body
    assert "https://ml.example.com/wallet/top-up\n" in message.body


def test_a_russian_client_is_warned_in_russian(alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(language="ru")
    warn_below(alice, 5_000)

    look_at_balances()

    letter = Letter.objects.get()
    assert letter.subject == "Кредиты на исходе"
    assert "осталось" in letter.body
    assert "о которых вы просили предупредить" in letter.body


@pytest.mark.parametrize("threshold", [None, 999, 1_000])
def test_a_balance_at_its_threshold_or_without_one_is_not_low(
    alice: User, threshold: int | None
) -> None:
    warn_below(alice, threshold)

    assert look_at_balances() == 0
    assert not Letter.objects.exists()


def test_credits_that_are_only_held_do_not_make_a_balance_low(alice: User) -> None:
    warn_below(alice, 500)
    place_hold(wallet=wallet_of(alice.pk), amount=900, reference=("test", "held"))

    assert look_at_balances() == 0


def test_a_second_fall_is_told_only_after_a_recovery(alice: User) -> None:
    warn_below(alice, 500)
    spend(alice, 600)
    look_at_balances()
    add(alice, 50)
    spend(alice, 50)
    without_recovery = look_at_balances()

    add(alice, 100)
    recovered = look_at_balances()
    spend(alice, 1)

    assert (without_recovery, recovered, look_at_balances()) == (0, 0, 1)
    assert Letter.objects.count() == 2


def test_who_was_told_and_is_still_low_is_not_told_again_for_a_new_threshold(alice: User) -> None:
    warn_below(alice, 1_500)
    look_at_balances()

    warn_below(alice, 2_000)

    assert look_at_balances() == 0


def test_a_threshold_below_the_balance_is_told_at_the_next_fall(alice: User) -> None:
    warn_below(alice, 1_500)
    look_at_balances()
    warn_below(alice, 800)
    spend(alice, 300)

    assert look_at_balances() == 1


def test_a_threshold_that_was_lifted_forgets_the_fall(alice: User) -> None:
    warn_below(alice, 1_500)
    look_at_balances()

    warn_below(alice, None)

    wallet = wallet_of(alice.pk)
    assert (wallet.low_balance_told_at, wallet.low_balance_threshold) == (None, None)
    assert look_at_balances() == 0


def test_a_mark_whose_letter_cannot_be_written_is_taken_back(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    warn_below(alice, 1_500)

    def fail(wallets: Any) -> None:
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr(letters, "tell_low_balances", fail)
        with pytest.raises(RuntimeError):
            look_at_balances()

    assert wallet_of(alice.pk).low_balance_told_at is None
    assert look_at_balances() == 1


@pytest.mark.django_db
def test_a_look_asks_as_often_for_thirty_wallets_as_for_three() -> None:
    counts = []
    for numbers in (range(3), range(3, 33)):
        for number in numbers:
            warn_below(make_user(f"user{number}", credits=1), 5)
        with CaptureQueriesContext(connection) as queries:
            assert look_at_balances() == len(numbers)
        counts.append(len(queries))

    assert counts[0] == counts[1]


@pytest.mark.django_db
def test_a_look_goes_on_until_all_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(low_balance, "WALLETS_A_TURN", 2)
    for number in range(5):
        warn_below(make_user(f"user{number}", credits=1), 5)

    assert look_at_balances() == 5
    assert Letter.objects.count() == 5


@pytest.mark.parametrize("threshold", [0, -1, 2**53])
def test_a_threshold_that_means_nothing_is_refused(alice: User, threshold: int) -> None:
    with pytest.raises(InvalidAmount):
        warn_below(alice, threshold)

    assert wallet_of(alice.pk).low_balance_threshold is None


@pytest.mark.parametrize("address", ["/dashboard", "/wallet"])
def test_the_warning_stands_on_the_pages_until_it_is_dismissed(
    alice: User, page: PageOf, address: str
) -> None:
    signed_in = page(alice)
    warn_below(alice, 1_500)
    before = signed_in.get(address).content.decode()
    look_at_balances()
    shown = signed_in.get(address).content.decode()

    answer = signed_in.post("/wallet/low-balance/dismiss", {"from": address.strip("/")})

    assert answer["Location"] == address
    assert WARNING not in before
    assert WARNING in shown
    assert WARNING not in signed_in.get(address).content.decode()


def test_the_warning_comes_back_with_the_next_fall(alice: User, page: PageOf) -> None:
    warn_below(alice, 1_000)
    spend(alice, 1)
    look_at_balances()
    dismiss_low_balance(wallet_id=wallet_of(alice.pk).pk)
    add(alice, 1)
    look_at_balances()
    spend(alice, 1)
    look_at_balances()

    assert WARNING in page(alice).get("/wallet").content.decode()


def test_a_balance_that_recovered_shows_no_warning_even_before_the_next_look(
    alice: User, page: PageOf
) -> None:
    warn_below(alice, 1_500)
    look_at_balances()

    add(alice, 500)

    assert WARNING not in page(alice).get("/wallet").content.decode()


def test_only_the_owners_own_post_dismisses_the_warning(
    alice: User, bob: User, page: PageOf
) -> None:
    warn_below(alice, 1_500)
    look_at_balances()
    guarded = Client(enforce_csrf_checks=True)
    guarded.force_login(alice)

    answers = [
        page(bob).post("/wallet/low-balance/dismiss"),
        page(alice).get("/wallet/low-balance/dismiss"),
        guarded.post("/wallet/low-balance/dismiss"),
    ]

    assert [answer.status_code for answer in answers] == [302, 405, 403]
    assert wallet_of(alice.pk).low_balance_seen_at is None


def test_nothing_is_dismissed_where_nothing_was_told(alice: User) -> None:
    dismiss_low_balance(wallet_id=wallet_of(alice.pk).pk)

    assert wallet_of(alice.pk).low_balance_seen_at is None


def test_a_client_sets_and_lifts_the_threshold_on_its_page(alice: User, page: PageOf) -> None:
    signed_in, form = page(alice), {"low_balance_threshold": "70"}

    assert signed_in.post("/wallet/low-balance", form)["Location"] == "/wallet"
    assert wallet_of(alice.pk).low_balance_threshold == 70
    assert "Warning below 70" in signed_in.get("/wallet").content.decode()

    signed_in.post("/wallet/low-balance", {**form, "low_balance_threshold": ""})
    assert wallet_of(alice.pk).low_balance_threshold is None


@pytest.mark.parametrize("typed", ["0", "-1", "0.5", "ten", "1e30", str(2**63)])
def test_a_bad_threshold_is_refused_at_the_form(alice: User, page: PageOf, typed: str) -> None:
    form = {"low_balance_threshold": typed}

    answer = page(alice).post("/wallet/low-balance", form)

    assert answer.status_code == 200
    assert answer.context["form"].errors
    assert wallet_of(alice.pk).low_balance_threshold is None


def test_the_api_changes_both_limits_or_one(alice: User, api: Any) -> None:
    client = api(alice)
    both = {"spending_cap": 700, "low_balance_threshold": 50}

    first = client.patch("/api/v1/wallet", both, format="json")
    second = client.patch("/api/v1/wallet", {"low_balance_threshold": None}, format="json")

    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json() == client.get("/api/v1/wallet").json() | both
    assert (second.json()["spending_cap"], second.json()["low_balance_threshold"]) == (700, None)


@pytest.mark.parametrize("field", ["spending_cap", "low_balance_threshold"])
@pytest.mark.parametrize("value", [-1, 1e30, 0.5, "ten", True, 2**63, [], {}])
def test_a_bad_limit_changes_nothing_by_the_api(
    alice: User, api: Any, field: str, value: Any
) -> None:
    other = ({"spending_cap", "low_balance_threshold"} - {field}).pop()

    answer = api(alice).patch("/api/v1/wallet", {other: 5, field: value}, format="json")

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    wallet = Wallet.objects.get(user=alice)
    assert (wallet.spending_cap, wallet.low_balance_threshold) == (None, None)


def test_the_api_asks_who_one_is_before_it_changes_a_limit(client: Client, db: None) -> None:
    answer = client.patch("/api/v1/wallet", "{}", content_type="application/json")

    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
