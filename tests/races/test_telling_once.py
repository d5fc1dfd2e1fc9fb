"""However many duties look and send at once, a fall is told once and a letter sent once."""

from functools import partial

import pytest
from django.core import mail
from django.db import transaction
from django.db.models.functions import Now

from billing import letters
from billing.low_balance import look_at_balances, set_low_balance_threshold, tell_fallen
from billing.models import Wallet
from billing.services import wallet_of
from mlservice.lib.mail.models import Letter
from mlservice.lib.mail.outbox import send_letters
from tests.conftest import make_user
from tests.races.threads import at_once, meeting, results

DUTIES = 8
CLIENTS = 5


def make_low_wallets() -> list[int]:
    wallets = [wallet_of(make_user(f"user{number}", credits=1).pk) for number in range(CLIENTS)]
    for wallet in wallets:
        set_low_balance_threshold(wallet_id=wallet.pk, threshold=10)
    return [wallet.pk for wallet in wallets]


def test_eight_duties_that_look_at_once_tell_each_fall_once() -> None:
    make_low_wallets()

    told = results(at_once([look_at_balances] * DUTIES))

    assert sum(told) == CLIENTS
    assert Letter.objects.count() == CLIENTS


def test_duties_that_meet_inside_their_transactions_tell_each_fall_once() -> None:
    make_low_wallets()
    all_have_begun = meeting(2)

    def tell() -> int:
        with transaction.atomic():
            all_have_begun()
            return tell_fallen()

    told = results(at_once([tell] * 2))

    assert sorted(told) == [0, CLIENTS]
    assert Letter.objects.count() == CLIENTS


def test_without_the_guard_each_of_two_duties_tells_every_fall() -> None:
    ids = make_low_wallets()
    both_have_looked = meeting(2)

    def look_and_then_mark() -> int:
        with transaction.atomic():
            fallen = Wallet.objects.filter(pk__in=ids, low_balance_told_at__isnull=True)
            found = list(fallen.values_list("pk", flat=True))
            both_have_looked()
            # In line, so that the second has a crossing of its own time, as the real one would.
            list(Wallet.objects.filter(pk__in=found).order_by("pk").select_for_update())
            Wallet.objects.filter(pk__in=found).update(low_balance_told_at=Now())
            letters.tell_low_balances(Wallet.objects.filter(pk__in=found).select_related("user"))
        return len(found)

    told = results(at_once([look_and_then_mark] * 2))

    assert told == [CLIENTS, CLIENTS]
    assert Letter.objects.count() == 2 * CLIENTS


def queue(number: int) -> None:
    Letter.objects.create(
        event=f"test:{number}", recipient="alice@example.com", subject=str(number), body="Hello"
    )


def test_eight_senders_at_once_send_each_letter_once() -> None:
    for number in range(40):
        queue(number)

    sent = results(at_once([send_letters] * DUTIES))

    assert sum(sent) == 40
    assert sorted(int(message.subject) for message in mail.outbox) == list(range(40))


def test_without_the_claim_two_senders_send_the_same_letter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    queue(1)
    both_have_looked = meeting(2)

    def take_without_claiming() -> Letter | None:
        letter = Letter.objects.due().first()
        both_have_looked()
        return letter

    monkeypatch.setattr("mlservice.lib.mail.outbox._claim", take_without_claiming)
    monkeypatch.setattr("mlservice.lib.mail.outbox.LETTERS_A_RUN", 1)
    results(at_once([partial(send_letters)] * 2))

    assert len(mail.outbox) == 2
