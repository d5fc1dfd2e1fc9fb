"""The audit finds what it is there to find: each rule is broken once, and only it complains."""

from collections.abc import Callable
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse

from accounts.models import User
from billing import audit as billing_audit
from billing.models import AuditRun
from billing.services import (
    Resolution,
    pay_top_up,
    place_hold,
    record_reversal,
    refund,
    resolve_holds,
    wallet_of,
)
from billing.top_ups import start_top_up
from ml_models.models import ModelVersion
from mlservice.audit import audit, run_checks
from predictions import audit as predictions_audit
from predictions import runner
from tests.conftest import make_prediction

FREE = "ALTER TABLE billing_ledgerentry DISABLE TRIGGER ledger_entry_insert_only"
UNCONSTRAINED = "DROP INDEX prediction_once_for_its_key"
BREAKAGES = {
    "I1_balance_is_the_sum_of_entries": ["UPDATE billing_wallet SET balance = balance + 1"],
    "I3_held_is_the_sum_of_open_holds": ["UPDATE billing_wallet SET held = held + 1"],
    "I1_each_balance_after_follows_from_the_one_before": [
        FREE,
        "UPDATE billing_ledgerentry SET balance_after = balance_after + 1 WHERE kind = 'top_up'",
    ],
    "I2_each_paid_top_up_is_credited_once": ["UPDATE billing_topup SET amount = amount + 1"],
    "I4_each_captured_hold_has_its_entry": [
        "UPDATE billing_hold SET reference_id = 'x' WHERE status = 'captured'"
    ],
    "I2_each_refund_stands_on_its_hold": [
        "UPDATE billing_hold SET refunded = 1 WHERE status = 'captured'"
    ],
    "I2_each_reversal_is_taken_or_owed": ["UPDATE billing_topup SET reversed = 1"],
    "I2_shortfall_is_the_sum_of_top_ups": ["UPDATE billing_wallet SET shortfall = 1"],
    "I2_what_came_in_is_what_is_left_and_spent": [
        "UPDATE billing_wallet SET balance = balance + 1"
    ],
    "I7_the_ledger_is_insert_only": [FREE],
    "I4_each_succeeded_prediction_captured_its_cost": [
        "UPDATE predictions_prediction SET cost = cost + 1 WHERE status = 'succeeded'"
    ],
    "I5_each_failed_or_canceled_prediction_released_its_hold": [
        "UPDATE predictions_prediction SET status = 'failed', cost = 0 WHERE status = 'succeeded'"
    ],
    "I5_each_unfinished_prediction_has_an_open_hold": [
        "UPDATE billing_hold SET status = 'released', resolved_at = now() WHERE status = 'held'"
    ],
    "I6_each_open_hold_belongs_to_unfinished_work": [
        "UPDATE predictions_prediction SET status = 'failed', completed_at = now() "
        "WHERE status = 'starting'"
    ],
    "I6_no_hold_outlives_its_prediction": [
        "UPDATE billing_hold SET created_at = now() - interval '3 days' WHERE status = 'held'"
    ],
    "I8_a_key_has_one_prediction": [
        UNCONSTRAINED,
        "UPDATE predictions_prediction SET idempotency_key = 'same'",
    ],
    "I9_each_charge_is_the_accepted_price": ["UPDATE predictions_prediction SET price = 7"],
    "I10_nothing_waits_unpublished_while_workers_are_free": [
        "UPDATE predictions_prediction SET created_at = now() - interval '1 minute'",
        "INSERT INTO predictions_worker (name, children) VALUES ('free', 1)",
    ],
}


@pytest.fixture
def busy_books(alice: User, published_version: ModelVersion) -> None:
    """A settled prediction and one that waits."""
    runner.run([make_prediction(alice).pk])
    make_prediction(alice)


def test_books_in_order_break_no_rule(busy_books: None) -> None:
    assert set(run_checks().values()) == {0}


def test_every_rule_is_broken_below() -> None:
    assert set(BREAKAGES) == {*billing_audit.CHECKS, *predictions_audit.CHECKS}


@pytest.mark.parametrize("rule", BREAKAGES)
def test_a_broken_rule_is_found(busy_books: None, rule: str) -> None:
    with connection.cursor() as cursor:
        # A table with checks still to come cannot be altered.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for statement in BREAKAGES[rule]:
            cursor.execute(statement)

    assert run_checks()[rule] > 0


def test_the_command_prints_every_rule_and_keeps_the_run(busy_books: None) -> None:
    out = StringIO()

    call_command("audit_ledger", stdout=out)

    run = AuditRun.objects.latest()
    assert run.drift == 0
    assert all(name.replace("_", " ") in out.getvalue() for name in run.counts)


def test_the_command_exits_1_on_a_difference(busy_books: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE billing_wallet SET balance = balance + 1")

    with pytest.raises(SystemExit, match="1"):
        call_command("audit_ledger", stdout=StringIO(), stderr=StringIO())

    assert AuditRun.objects.latest().drift > 0


def test_an_operator_sees_the_last_run(staff: User, page: Callable[[User], Client]) -> None:
    run = audit()

    shown = page(staff).get(reverse("admin:billing_auditrun_change", args=[run.pk]))

    told = shown.content.decode()
    assert all(f"{name.replace('_', ' ')}</th><td>0</td>" in told for name in run.counts)
    assert "agree" in told
    assert "differ" not in told


def test_an_operator_sees_what_differs_first(
    staff: User, alice: User, page: Callable[[User], Client]
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE billing_wallet SET shortfall = 1 WHERE user_id = %s", [alice.pk])
    run = audit()

    listed = page(staff).get(reverse("admin:billing_auditrun_changelist")).content.decode()
    told = page(staff).get(reverse("admin:billing_auditrun_change", args=[run.pk]))

    broken = "I2 shortfall is the sum of top ups</th><td>1</td>"
    assert ">differ</strong>" in listed
    assert ">differ</strong>" in told.content.decode()
    assert told.content.decode().index(broken) < told.content.decode().index("</th><td>0</td>")


def test_a_hold_without_work_is_found(alice: User) -> None:
    wallet = wallet_of(alice.pk)
    hold = place_hold(wallet=wallet, amount=5, reference=("prediction", "none"))

    assert run_checks()["I6_each_open_hold_belongs_to_unfinished_work"] == 1

    resolve_holds([Resolution(hold.pk, 0)])
    assert set(run_checks().values()) == {0}


@pytest.fixture
def moved_books(alice: User, staff: User) -> User:
    """A charge of which a part was given back, and a payment of which a part was taken back."""
    hold = place_hold(wallet=wallet_of(alice.pk), amount=5, reference=("test", "1"))
    resolve_holds([Resolution(hold.pk, 5)])
    refund(hold_id=hold.pk, amount=2, reason="Why", actor_id=staff.pk)
    top_up = start_top_up(wallet=wallet_of(alice.pk), amount=50, provider="manual")
    pay_top_up(top_up_id=top_up.pk, payment_id="pay-1")
    record_reversal(
        provider="manual", payment_id="pay-1", external_id="re-1", cents=20, is_active=True
    )
    assert set(run_checks().values()) == {0}
    return alice


@pytest.mark.parametrize(
    ("kind", "rule"),
    [
        ("top_up", "I2_each_paid_top_up_is_credited_once"),
        ("capture", "I4_each_captured_hold_has_its_entry"),
        ("refund", "I2_each_refund_stands_on_its_hold"),
        ("reversal", "I2_each_reversal_is_taken_or_owed"),
    ],
)
def test_an_entry_that_stands_in_another_wallet_is_found(
    moved_books: User, bob: User, kind: str, rule: str
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(FREE)
        cursor.execute(
            "UPDATE billing_ledgerentry SET wallet_id = %s WHERE id = "
            "(SELECT max(id) FROM billing_ledgerentry WHERE kind = %s AND wallet_id = %s)",
            [bob.wallet.pk, kind, moved_books.wallet.pk],
        )

    # What is missed in the one wallet is too much in the other.
    assert run_checks()[rule] == 2
