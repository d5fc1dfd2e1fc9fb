"""Who waits for a wallet judges its user as it is when the wait is over."""

from collections.abc import Callable
from typing import TypeVar

import pytest
from django.db import connection, transaction

from accounts.models import User
from billing.services import lock_payers, lock_wallet, place_hold, wallet_of
from ml_models.models import ModelVersion
from predictions.errors import AccountDisabled
from predictions.models import Prediction
from tests.conftest import make_prediction, make_user
from tests.races.test_the_order_of_locks import while_locked

Answer = TypeVar("Answer")


def while_it_changes(user: User, ask: Callable[[], Answer]) -> Answer:
    """Ask while another transaction has locked the wallet, disables its user and holds a credit."""
    answers: list[Answer] = []

    def change() -> None:
        wallet = lock_wallet(wallet_id=wallet_of(user.pk).pk)
        User.objects.filter(pk=user.pk).update(is_active=False)
        place_hold(wallet=wallet, amount=1, reference=("test", "1"))

    assert while_locked(change, lambda: answers.append(ask()), lambda: not answers)
    [answer] = answers
    return answer


def test_read_in_the_statement_that_waits_the_user_is_as_it_was() -> None:
    alice = make_user("alice", credits=5)

    def lock_and_read_at_once() -> tuple[int, bool]:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT wallet.held, payer.is_active FROM billing_wallet AS wallet"
                " JOIN accounts_user AS payer ON payer.id = wallet.user_id"
                " WHERE payer.id = %s FOR UPDATE OF wallet",
                [alice.pk],
            )
            held, is_active = cursor.fetchone()
            return held, is_active

    assert while_it_changes(alice, lock_and_read_at_once) == (1, True)


def test_read_by_a_second_statement_both_are_as_they_are() -> None:
    alice = make_user("alice", credits=5)

    def lock_and_read() -> tuple[int, bool]:
        with transaction.atomic():
            payer = lock_payers([alice.pk])[alice.pk]
            return payer.held, payer.user.is_active

    assert while_it_changes(alice, lock_and_read) == (1, False)


def test_a_user_disabled_meanwhile_is_refused(published_version: ModelVersion) -> None:
    alice = make_user("alice", credits=5)

    with pytest.raises(AccountDisabled):
        while_it_changes(alice, lambda: make_prediction(alice))

    assert not Prediction.objects.exists()
