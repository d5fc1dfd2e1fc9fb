"""A payment that is reported many times at once is credited once."""

from billing.errors import TopUpAlreadyResolved
from billing.models import LedgerEntry, TopUp
from billing.services import pay_top_up, reject_top_up, wallet_of
from billing.top_ups import start_top_up
from tests.conftest import make_user
from tests.races.threads import at_once

REPORTS = 16


def test_sixteen_reports_of_one_payment_credit_it_once() -> None:
    alice = make_user("alice")
    top_up = start_top_up(wallet=wallet_of(alice.pk), amount=500, provider="manual")

    answers = at_once([lambda: pay_top_up(top_up_id=top_up.pk)] * REPORTS)

    assert sum(isinstance(answer, TopUp) for answer in answers) == 1
    assert sum(isinstance(answer, TopUpAlreadyResolved) for answer in answers) == REPORTS - 1
    assert wallet_of(alice.pk).balance == 500
    assert LedgerEntry.objects.filter(reference_id=str(top_up.pk)).count() == 1


def test_a_top_up_that_is_paid_and_rejected_at_once_ends_one_way() -> None:
    alice = make_user("alice")
    operator = make_user("operator", is_staff=True)
    top_up = start_top_up(wallet=wallet_of(alice.pk), amount=500, provider="manual")

    answers = at_once(
        [
            lambda: pay_top_up(top_up_id=top_up.pk),
            lambda: reject_top_up(top_up_id=top_up.pk, note="No money came", actor_id=operator.pk),
        ]
        * 4
    )

    assert sum(isinstance(answer, TopUp) for answer in answers) == 1
    assert sum(isinstance(answer, TopUpAlreadyResolved) for answer in answers) == 7
    top_up.refresh_from_db()
    credited = {"paid": 500, "failed": 0}[top_up.status]
    assert wallet_of(alice.pk).balance == credited


def test_different_top_ups_of_one_wallet_are_all_credited() -> None:
    alice = make_user("alice")
    wallet = wallet_of(alice.pk)

    answers = at_once([lambda: start_top_up(wallet=wallet, amount=10, provider="demo")] * REPORTS)

    assert sum(isinstance(answer, TopUp) for answer in answers) == REPORTS
    assert wallet_of(alice.pk).balance == 10 * REPORTS
