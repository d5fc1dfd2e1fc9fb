"""What moves money moves it once; each race is shown first with its guard taken away."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.conf import settings
from django.db import IntegrityError, connection
from django.db.models.functions import Now
from rest_framework.test import APIClient

from accounts.models import User
from billing import adjustments, services
from billing.adjustments import adjust, approve_adjustment
from billing.errors import AlreadyApplied
from billing.models import Hold, LedgerEntry, PendingAdjustment, TopUp, Wallet
from billing.services import Resolution, pay_top_up, refund, resolve_holds, wallet_of
from billing.top_ups import start_top_up
from ml_models.models import ModelVersion
from mlservice.audit import run_checks
from mlservice.lib.ids import new_id
from mlservice.lib.prepared import Statement
from predictions import reaping
from predictions import services as work
from predictions.models import Prediction
from predictions.services import Outcome, claim, settle
from tests.conftest import make_prediction, make_user
from tests.races.threads import at_once, meeting, results

ONCE = "ledger_entry_applies_once"


def without_locking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let two look at a wallet before either writes, as they could without its lock."""
    both_have_looked = meeting(2)

    def look(*, wallet_id: int) -> Wallet:
        wallet = Wallet.objects.get(pk=wallet_id)
        both_have_looked()
        return wallet

    monkeypatch.setattr(services, "lock_wallet", look)


def judging_together(monkeypatch: pytest.MonkeyPatch, judged_by: Any, name: str) -> None:
    """Let two have the answer that they judge by before either goes on."""
    both_have_it, ask = meeting(2), getattr(judged_by, name)

    def ask_and_meet(**about: Any) -> Any:
        answer = ask(**about)
        # What is asked lazily is asked now.
        bool(answer)
        both_have_it()
        return answer

    monkeypatch.setattr(judged_by, name, ask_and_meet)


def unguarded(guarded: Statement, old: str, new: str) -> Statement:
    """Give a statement with its guard taken away."""
    assert guarded.sql.count(old) == 1
    return Statement(f"unguarded_{guarded.name}", guarded.types, guarded.sql.replace(old, new))


def only_the_constraint_refused(answers: list[Any]) -> bool:
    refused = [answer for answer in answers if isinstance(answer, IntegrityError)]
    done = [answer for answer in answers if not isinstance(answer, Exception)]
    return (len(refused), len(done)) == (1, 1) and ONCE in str(refused[0])


def charged_hold(user: User) -> Hold:
    prediction = make_prediction(user)
    [mine] = claim([prediction.pk])
    settle([Outcome(mine.id, mine.attempt, "succeeded", cost=mine.price, output="[]")])
    return Hold.objects.get(pk=prediction.hold_id)


def give_back(hold: Hold, operator: User) -> LedgerEntry:
    return refund(hold_id=hold.pk, amount=1, reason="Wrong", actor_id=operator.pk)


def test_without_its_guard_a_hold_is_captured_twice_and_only_the_constraint_refuses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wallet = wallet_of(make_user("alice", credits=10).pk)
    hold = services.place_hold(wallet=wallet, amount=4, reference=("test", "1"))
    # Else what is held would fall below zero, which another constraint refuses first.
    services.place_hold(wallet=wallet, amount=4, reference=("test", "2"))
    statement = unguarded(services.RESOLVE_HOLDS, " AND hold.status || '' = 'held'", "")
    monkeypatch.setattr(services, "RESOLVE_HOLDS", statement)

    answers = at_once([lambda: resolve_holds([Resolution(hold.pk, 4)])] * 2)

    assert only_the_constraint_refused(answers)


def test_a_hold_is_captured_once_by_many() -> None:
    alice = make_user("alice", credits=10)
    hold = services.place_hold(wallet=wallet_of(alice.pk), amount=4, reference=("test", "1"))

    results(at_once([lambda: resolve_holds([Resolution(hold.pk, 4)])] * 16))

    wallet = wallet_of(alice.pk)
    assert (wallet.balance, wallet.held) == (6, 0)
    assert LedgerEntry.objects.filter(kind="capture").count() == 1


def last_attempt(user: User) -> Outcome:
    """Give a result that arrives when the last attempt's lease is over."""
    prediction = make_prediction(user)
    Prediction.objects.filter(pk=prediction.pk).update(attempt=settings.PREDICTION_MAX_ATTEMPTS - 1)
    [mine] = claim([prediction.pk])
    with connection.cursor() as cursor:
        cursor.execute("UPDATE predictions_prediction SET lease_expires_at = now() - interval '1s'")
    return Outcome(mine.id, mine.attempt, "succeeded", cost=mine.price, output="[]")


def test_without_the_check_of_its_state_a_prediction_ends_both_ways(
    published_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = last_attempt(make_user("alice", credits=10))
    monkeypatch.setattr(
        work, "FINISH", unguarded(work.FINISH, "prediction.status = $9 AND", "$9 <> '' AND")
    )
    both_are_about_to_end_it, real = meeting(2), services.lock_wallets

    def wait_and_lock(**held: Any) -> Any:
        both_are_about_to_end_it()
        return real(**held)

    monkeypatch.setattr(services, "lock_wallets", wait_and_lock)

    settled = results(at_once([lambda: settle([late]), reaping.fail_exhausted]))

    assert settled == [1, 1]
    assert sum(run_checks().values()) > 0
    put_right(Prediction.objects.get())


def put_right(prediction: Prediction) -> None:
    """Let the prediction say what its hold says, for the audit that follows each race."""
    charged = prediction.hold.captured
    Prediction.objects.filter(pk=prediction.pk).update(
        status="succeeded" if charged else "failed", cost=charged
    )


@pytest.mark.parametrize("number", range(5))
def test_a_result_that_meets_the_reaper_is_charged_or_free_never_both(
    published_version: ModelVersion, number: int
) -> None:
    alice = make_user("alice", credits=10)
    late = last_attempt(alice)

    settled = results(at_once([lambda: settle([late]), reaping.fail_exhausted]))

    status = Prediction.objects.get().status
    assert sum(settled) == 1
    assert (status, wallet_of(alice.pk).balance) in {("succeeded", 9), ("failed", 10)}
    assert wallet_of(alice.pk).held == 0


def test_without_lock_and_compare_and_set_a_payment_counts_twice_but_for_the_constraint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    top_up = start_top_up(wallet=wallet_of(make_user("alice").pk), amount=500, provider="manual")

    def read_then_write(top_up_id: Any, status: str, *_: Any, **__: Any) -> TopUp:
        found = TopUp.objects.get(pk=top_up_id)
        TopUp.objects.filter(pk=top_up_id).update(status=status, resolved_at=Now())
        return found

    without_locking(monkeypatch)
    monkeypatch.setattr(services, "_resolve_top_up", read_then_write)
    answers = at_once([lambda: pay_top_up(top_up_id=top_up.pk)] * 2)

    assert only_the_constraint_refused(answers)


def test_without_the_lock_a_refund_is_given_twice_but_for_the_constraint(
    published_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = charged_hold(make_user("alice", credits=10))
    operator = make_user("operator", is_staff=True)
    without_locking(monkeypatch)
    judging_together(monkeypatch, Hold.objects, "get")

    answers = at_once([partial(give_back, hold, operator)] * 2)

    assert only_the_constraint_refused(answers)


def test_a_refund_asked_for_by_many_is_given_once(published_version: ModelVersion) -> None:
    alice = make_user("alice", credits=10)
    hold, operator = charged_hold(alice), make_user("operator", is_staff=True)

    answers = at_once([partial(give_back, hold, operator)] * 16)

    assert sum(isinstance(answer, LedgerEntry) for answer in answers) == 1
    assert sum(isinstance(answer, AlreadyApplied) for answer in answers) == 15
    assert wallet_of(alice.pk).balance == 10


@pytest.fixture
def decisions() -> list[Callable[[], None]]:
    """One large grant that waits, and two operators about to approve it."""
    alice = make_user("alice")
    asking, *others = [make_user(f"operator{n}", is_staff=True) for n in range(3)]
    waiting = adjust(
        kind="grant",
        wallet_id=wallet_of(alice.pk).pk,
        amount=settings.ADJUSTMENT_ALONE_CREDITS + 1,
        reason="Large",
        actor_id=asking.pk,
        adjustment_id=new_id(),
    )
    assert waiting is not None
    return [
        partial(approve_adjustment, adjustment_id=waiting.pk, actor_id=other.pk) for other in others
    ]


def test_without_its_lock_an_adjustment_is_decided_twice_but_for_the_constraint(
    decisions: list[Callable[[], None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adjustments, "_decide", lambda pk, *_: PendingAdjustment.objects.get(pk=pk))
    without_locking(monkeypatch)
    judging_together(monkeypatch, LedgerEntry.objects, "filter")

    answers = at_once(decisions)

    assert only_the_constraint_refused(answers)


def test_two_operators_who_approve_at_once_grant_once(
    decisions: list[Callable[[], None]],
) -> None:
    answers = at_once(decisions * 4)

    assert answers.count(None) == 1
    assert sum(isinstance(answer, AlreadyApplied) for answer in answers) == 7
    assert LedgerEntry.objects.filter(kind="grant").count() == 1


def test_fifty_posts_with_one_key_get_one_answer(
    published_version: ModelVersion, api: Callable[[User], APIClient]
) -> None:
    alice = make_user("alice", credits=1_000)
    body = {"model": "linear-regression", "input": published_version.example}
    clients = [api(alice) for _ in range(50)]

    def post(client: APIClient) -> tuple[int, str, str]:
        answer = client.post(
            "/api/v1/predictions", body, format="json", headers={"Idempotency-Key": "order-1"}
        )
        said = answer.json()
        return answer.status_code, said.get("code", ""), said.get("id", "")

    answers = results(at_once([partial(post, client) for client in clients]))

    [prediction] = Prediction.objects.all()
    made, in_flight = (202, "", str(prediction.pk)), (409, "idempotency_in_flight", "")
    assert set(answers) <= {made, in_flight}
    assert made in answers
    assert Hold.objects.count() == 1
    assert wallet_of(alice.pk).held == published_version.price
