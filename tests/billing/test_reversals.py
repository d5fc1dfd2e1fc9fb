"""What a payment provider takes back: at most what is available, the rest is owed."""

from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from billing.errors import WalletFrozen
from billing.models import LedgerEntry, TopUp
from billing.services import (
    Resolution,
    pay_top_up,
    place_hold,
    record_reversal,
    reject_top_up,
    resolve_holds,
    wallet_of,
)
from billing.top_ups import expire_top_ups, start_top_up
from mlservice.audit import run_checks
from tests.conftest import make_user


@pytest.fixture
def carol(db: None) -> User:
    return make_user("carol")


def paid_by_card(user: User, amount: int, payment_id: str = "pay_1") -> TopUp:
    top_up = start_top_up(wallet=wallet_of(user.pk), amount=amount, provider="manual")
    return pay_top_up(top_up_id=top_up.pk, payment_id=payment_id)


def taken_back(cents: int, external_id: str = "re_1", **fields: object) -> TopUp | None:
    wanted = {"provider": "manual", "payment_id": "pay_1", "is_active": True, **fields}
    return record_reversal(external_id=external_id, cents=cents, **wanted)  # type: ignore[arg-type]


def spent(user: User, amount: int) -> None:
    hold = place_hold(wallet=wallet_of(user.pk), amount=amount, reference=("prediction", "p"))
    resolve_holds([Resolution(hold.pk, amount)])


def test_a_refund_at_the_provider_takes_the_credits_back(carol: User) -> None:
    paid_by_card(carol, 500)

    top_up = taken_back(200)

    assert top_up is not None
    assert (top_up.reversed, top_up.shortfall) == (200, 0)
    assert wallet_of(carol.pk).balance == 300
    assert LedgerEntry.objects.latest("id").amount == -200


def test_the_same_reversal_again_changes_nothing(carol: User) -> None:
    paid_by_card(carol, 500)

    for _ in range(3):
        taken_back(200)

    assert wallet_of(carol.pk).balance == 300


def test_parts_add_up_and_never_beyond_the_payment(carol: User) -> None:
    paid_by_card(carol, 500)

    taken_back(200)
    taken_back(300, "re_2")
    taken_back(500, "dp_1")

    assert wallet_of(carol.pk).balance == 0
    assert TopUp.objects.get().reversed == 500


def test_what_is_not_available_is_owed_and_freezes_the_wallet(carol: User) -> None:
    paid_by_card(carol, 500)
    spent(carol, 450)

    top_up = taken_back(500)

    assert top_up is not None
    wallet = wallet_of(carol.pk)
    assert (wallet.balance, wallet.shortfall, top_up.shortfall) == (0, 450, 450)
    with pytest.raises(WalletFrozen):
        place_hold(wallet=wallet, amount=1, reference=("prediction", "q"))


def test_a_held_credit_is_not_taken(carol: User) -> None:
    paid_by_card(carol, 500)
    place_hold(wallet=wallet_of(carol.pk), amount=100, reference=("prediction", "p"))

    taken_back(500)

    wallet = wallet_of(carol.pk)
    assert (wallet.balance, wallet.held, wallet.shortfall) == (100, 100, 100)


def test_a_later_top_up_covers_what_is_owed_and_thaws_the_wallet(carol: User) -> None:
    paid_by_card(carol, 500)
    spent(carol, 450)
    taken_back(500)

    start_top_up(wallet=wallet_of(carol.pk), amount=600, provider="demo")

    wallet = wallet_of(carol.pk)
    assert (wallet.balance, wallet.shortfall) == (150, 0)
    assert not any(run_checks().values())


def test_a_dispute_that_is_won_gives_the_credits_back(carol: User) -> None:
    paid_by_card(carol, 500)
    spent(carol, 400)
    taken_back(500, "dp_1")

    taken_back(500, "dp_1", is_active=False)

    wallet = wallet_of(carol.pk)
    assert (wallet.balance, wallet.shortfall) == (100, 0)
    assert TopUp.objects.get().reversed == 0
    assert not any(run_checks().values())


def test_what_ended_does_not_start_again_when_its_beginning_arrives_late(carol: User) -> None:
    paid_by_card(carol, 500)

    taken_back(500, "dp_1", is_active=False)
    taken_back(500, "dp_1")

    assert wallet_of(carol.pk).balance == 500


def test_a_reversal_that_arrives_before_its_payment_is_settled_with_it(carol: User) -> None:
    assert taken_back(500) is None

    paid_by_card(carol, 500)

    assert wallet_of(carol.pk).balance == 0
    assert [entry.amount for entry in LedgerEntry.objects.order_by("id")] == [500, -500]


def test_a_payment_after_expiry_is_still_credited(carol: User) -> None:
    top_up = start_top_up(wallet=wallet_of(carol.pk), amount=70, provider="manual")
    TopUp.objects.update(expires_at="2020-01-01T00:00:00Z")

    assert expire_top_ups() == 1
    pay_top_up(top_up_id=top_up.pk, payment_id="pay_1")

    assert wallet_of(carol.pk).balance == 70


def test_an_operator_cannot_approve_what_was_rejected(carol: User, staff: User) -> None:
    top_up = start_top_up(wallet=wallet_of(carol.pk), amount=70, provider="manual")
    reject_top_up(top_up_id=top_up.pk, note="No", actor_id=staff.pk)

    with pytest.raises(Exception, match="failed already"):
        pay_top_up(top_up_id=top_up.pk, actor_id=staff.pk)


def test_a_frozen_wallet_gets_a_problem_over_the_api(
    carol: User, api: Callable[[User], APIClient], published_version: object
) -> None:
    paid_by_card(carol, 500)
    spent(carol, 450)
    taken_back(500)
    example = published_version.example  # type: ignore[attr-defined]

    answer = api(carol).post(
        "/api/v1/predictions", {"model": "linear-regression", "input": example}, format="json"
    )

    assert answer.status_code == 402
    assert answer.json()["code"] == "wallet_frozen"
    assert answer.json()["shortfall"] == 450
