"""Mutants of the money: every lock, guard, sign and order that keeps the books right."""

from tests.mutants import Mutant

SERVICES = "billing/services.py"
WORK = "predictions/services.py"
SUBMITTING = "predictions/submitting.py"
HOLDS = "tests/billing/test_holds.py"
TOP_UPS = "tests/billing/test_top_ups.py"
REVERSALS = "tests/billing/test_reversals.py"
ADJUSTMENTS = "tests/billing/test_adjustments.py"
SETTLEMENT = "tests/predictions/test_settlement.py"
LOCKS = "tests/races/test_the_order_of_locks.py"
CARD = "tests/billing/test_card_payments.py"
KEYS = "tests/races/test_one_key_at_once.py"
MACHINE = "tests/billing/test_ledger_machine.py::test_the_services_agree_with_arithmetic"

HOLDS_AND_CAPTURES = [
    Mutant(
        name="a hold that is resolved already is resolved again",
        path=SERVICES,
        old="WHERE hold.id = outcome.hold_id AND hold.status || '' = 'held'",
        new="WHERE hold.id = outcome.hold_id",
        killed_by=f"{HOLDS}::test_a_hold_that_is_resolved_stays_as_it_is",
    ),
    Mutant(
        name="a capture's entry has the other sign",
        path=SERVICES,
        old="'capture', -resolved.captured,",
        new="'capture', resolved.captured,",
        killed_by=f"{HOLDS}::test_a_capture_charges_once_and_releases_the_rest",
    ),
    Mutant(
        name="a capture adds to the balance",
        path=SERVICES,
        old="SET balance = wallet.balance - total.captured",
        new="SET balance = wallet.balance + total.captured",
        killed_by=f"{HOLDS}::test_a_capture_charges_once_and_releases_the_rest",
    ),
    Mutant(
        name="a capture keeps the rest of its hold",
        path=SERVICES,
        old="held = wallet.held - total.amount",
        new="held = wallet.held - total.captured",
        killed_by=f"{HOLDS}::test_a_capture_charges_once_and_releases_the_rest",
    ),
    Mutant(
        name="the balance after each of several captures has no order",
        path=SERVICES,
        old="OVER (PARTITION BY resolved.wallet_id ORDER BY resolved.id)",
        new="OVER (PARTITION BY resolved.wallet_id)",
        killed_by=f"{HOLDS}::test_many_holds_of_many_wallets_resolve_in_one_statement",
    ),
    Mutant(
        name="captures are written in the other order",
        path=SERVICES,
        old="WHERE resolved.captured > 0\nORDER BY resolved.id",
        new="WHERE resolved.captured > 0\nORDER BY resolved.id DESC",
        killed_by=f"{HOLDS}::test_many_holds_of_many_wallets_resolve_in_one_statement",
    ),
    Mutant(
        name="a release writes an entry",
        path=SERVICES,
        old="WHERE resolved.captured > 0\n",
        new="",
        killed_by=f"{HOLDS}::test_a_release_gives_everything_back_and_writes_no_entry",
    ),
    Mutant(
        name="a hold may take what is held already",
        path=SERVICES,
        old="if amount > wallet.available:",
        new="if amount > wallet.balance:",
        killed_by=f"{HOLDS}::test_a_hold_larger_than_what_is_available_is_refused",
    ),
    Mutant(
        name="a hold ignores the spending cap",
        path=SERVICES,
        old="        if amount > left:\n",
        new="        if False:\n",
        killed_by="tests/billing/test_spending_cap.py::"
        "test_holds_and_charges_count_towards_the_cap",
    ),
    Mutant(
        name="a frozen wallet spends",
        path=SERVICES,
        old="    if wallet.is_frozen:\n        return WalletFrozen(",
        new="    if False:\n        return WalletFrozen(",
        killed_by=f"{REVERSALS}::test_what_is_not_available_is_owed_and_freezes_the_wallet",
    ),
]

LOCKING = [
    Mutant(
        name="a wallet is read without its lock",
        path=SERVICES,
        old='Wallet.objects.select_for_update(of=("self",)).get',
        new="Wallet.objects.get",
        killed_by=f"{KEYS}::test_whoever_waits_longer_than_two_seconds_is_told_so",
    ),
    Mutant(
        name="wallets are locked in no order",
        path=SERVICES,
        old=") AS hold\n)\nORDER BY id FOR UPDATE",
        new=") AS hold\n)\nFOR UPDATE",
        killed_by=f"{LOCKS}::test_wallets_are_locked_from_the_lowest_id",
    ),
    Mutant(
        name="payers are locked in no order",
        path=SERVICES,
        old="WHERE user_id = ANY($1) ORDER BY id FOR UPDATE",
        new="WHERE user_id = ANY($1) FOR UPDATE",
        killed_by=f"{LOCKS}::test_payers_are_locked_from_the_lowest_id",
    ),
    Mutant(
        name="payers are read without their lock",
        path=SERVICES,
        old="WHERE user_id = ANY($1) ORDER BY id FOR UPDATE",
        new="WHERE user_id = ANY($1) ORDER BY id",
        killed_by=f"{KEYS}::test_fifty_requests_with_one_key_make_one_prediction",
    ),
    Mutant(
        name="a settlement locks no wallet first",
        path=WORK,
        old="""\
    rows = billing.lock_wallets(
        reference_type=HELD_FOR,
        reference_ids=[str(outcome.id) for outcome in outcomes],
        then=[(FINISH, *columns, expected)],
    )
""",
        new="    rows = FINISH.run(*columns, expected)\n",
        killed_by=f"{LOCKS}::"
        "test_a_settlement_waits_for_the_wallet_before_it_touches_the_prediction",
    ),
    Mutant(
        name="a payment and its reversal do not wait for each other",
        path=SERVICES,
        old="SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))",
        new="SELECT hashtextextended(%s, 0)",
        killed_by=f"{LOCKS}::test_a_payment_waits_for_a_reversal_under_way_and_sees_it",
    ),
    Mutant(
        name="a twin does not look again after it waited",
        path=SUBMITTING,
        old="        answers |= replayed_predictions(orders)\n",
        new="",
        killed_by=f"{KEYS}::test_fifty_requests_with_one_key_make_one_prediction",
    ),
]

TOP_UPS_AND_REVERSALS = [
    Mutant(
        name="a top-up that is closed is paid",
        path=SERVICES,
        old="TopUp.objects.filter(pk=top_up_id, status__in=open_states).update(",
        new="TopUp.objects.filter(pk=top_up_id).update(",
        killed_by=f"{TOP_UPS}::test_a_rejected_top_up_credits_nothing_and_stays_rejected",
    ),
    Mutant(
        name="a top-up of any size begins",
        path="billing/top_ups.py",
        old="    check_amount(amount)\n",
        new="",
        killed_by=f"{TOP_UPS}::test_an_amount_outside_the_limits_is_refused",
    ),
    Mutant(
        name="a reversal takes what is held",
        path=SERVICES,
        old="credits = min(wallet.available, top_up.shortfall)",
        new="credits = min(wallet.balance, top_up.shortfall)",
        killed_by=f"{REVERSALS}::test_a_held_credit_is_not_taken",
    ),
    Mutant(
        name="a reversal gives instead of taking",
        path=SERVICES,
        old="amount=-credits,",
        new="amount=credits,",
        killed_by=f"{REVERSALS}::test_a_refund_at_the_provider_takes_the_credits_back",
    ),
    Mutant(
        name="reversals take more than was paid",
        path="billing/selectors.py",
        old='return min(active.aggregate(total=Sum("cents"))["total"] or 0, top_up.cents)',
        new='return active.aggregate(total=Sum("cents"))["total"] or 0',
        killed_by=f"{REVERSALS}::test_parts_add_up_and_never_beyond_the_payment",
    ),
    Mutant(
        name="a dispute that is won gives back what was never taken",
        path=SERVICES,
        old="forgiven = min(credits, top_up.shortfall)",
        new="forgiven = 0",
        killed_by=f"{REVERSALS}::test_a_dispute_that_is_won_gives_the_credits_back",
    ),
    Mutant(
        name="what is owed longest is not covered first",
        path=SERVICES,
        old='shortfall__gt=0).order_by("pk")',
        new='shortfall__gt=0).order_by("-pk")',
        killed_by=MACHINE,
    ),
    Mutant(
        name="a refund covers nothing of what is owed",
        path=SERVICES,
        old="            reference=(hold.reference_type, hold.reference_id),\n"
        "            reason=reason,\n"
        "            actor_id=actor_id,\n"
        "        )\n"
        "        cover_shortfall(wallet=wallet)\n",
        new="            reference=(hold.reference_type, hold.reference_id),\n"
        "            reason=reason,\n"
        "            actor_id=actor_id,\n"
        "        )\n",
        killed_by="tests/billing/test_what_is_owed.py::test_a_refund_covers_what_is_owed_first",
    ),
    Mutant(
        name="a payment covers nothing of what is owed",
        path=SERVICES,
        old="            _settle_reversals(wallet, top_up)\n"
        "        cover_shortfall(wallet=wallet)\n",
        new="            _settle_reversals(wallet, top_up)\n",
        killed_by=MACHINE,
    ),
]

OPERATORS = [
    Mutant(
        name="an adjustment is applied twice",
        path=SERVICES,
        old="if LedgerEntry.objects.filter(reference_type=reference[0], "
        "reference_id=reference[1]):",
        new="if False:",
        killed_by=f"{ADJUSTMENTS}::test_the_same_adjustment_is_written_once",
    ),
    Mutant(
        name="a correction takes what is held",
        path=SERVICES,
        old="if wallet.available + amount < 0:",
        new="if wallet.balance + amount < 0:",
        killed_by=f"{ADJUSTMENTS}::test_a_correction_below_what_is_available_is_refused",
    ),
    Mutant(
        name="a charge is refunded twice",
        path=SERVICES,
        old="if hold.refunded:",
        new="if False:",
        killed_by=f"{ADJUSTMENTS}::test_a_refund_gives_back_at_most_what_was_charged_and_once",
    ),
    Mutant(
        name="a refund may exceed the charge",
        path=SERVICES,
        old="if amount > hold.captured:",
        new="if amount > hold.amount + hold.captured:",
        killed_by=f"{ADJUSTMENTS}::test_a_refund_gives_back_at_most_what_was_charged_and_once",
    ),
    Mutant(
        name="whoever asks for a large adjustment approves it",
        path="billing/adjustments.py",
        old="if status == Status.APPROVED and waiting.requested_by_id == actor_id:",
        new="if False:",
        killed_by=f"{ADJUSTMENTS}::test_a_large_grant_waits_for_a_second_operator",
    ),
]

SETTLING = [
    Mutant(
        name="a worker that lost its lease settles",
        path=WORK,
        old=" AND prediction.attempt = outcome.attempt",
        new="",
        killed_by=f"{SETTLEMENT}::test_a_worker_that_lost_its_lease_cannot_settle",
    ),
    Mutant(
        name="what has ended is settled again",
        path=WORK,
        old="WHERE prediction.status = $9 AND",
        new="WHERE $9 <> '' AND",
        killed_by="tests/races/test_settling.py::test_one_result_settled_by_many_is_captured_once",
    ),
    Mutant(
        name="what was canceled while it ran is charged",
        path=WORK,
        old="cost = CASE WHEN is_canceled THEN 0 ELSE current.cost END",
        new="cost = current.cost",
        killed_by=f"{SETTLEMENT}::test_canceling_what_runs_makes_it_free_at_its_end",
    ),
    Mutant(
        name="what is claimed already is claimed again",
        path=WORK,
        old="WHERE id = ANY($1) AND status = 'starting'",
        new="WHERE id = ANY($1)",
        killed_by=f"{SETTLEMENT}::test_a_prediction_runs_and_is_charged_once",
    ),
    Mutant(
        name="a claim counts no attempt",
        path=WORK,
        old="attempt = attempt + 1",
        new="attempt = attempt + 0",
        killed_by=f"{SETTLEMENT}::test_a_prediction_runs_and_is_charged_once",
    ),
]

CARDS = [
    Mutant(
        name="a repeated event is applied again",
        path="billing/payment_events.py",
        old="    if not is_new and row.outcome != Outcome.REFUSED:",
        new="    if False:",
        killed_by=f"{CARD}::test_refunds_at_the_provider_arrive_as_reversals",
    ),
    Mutant(
        name="a card payment of another price is credited",
        path="billing/payment_events.py",
        old="    if paid != (top_up.cents, top_up.currency):",
        new="    if False:",
        killed_by=f"{CARD}"
        "::test_another_price_than_agreed_credits_nothing_and_is_shown_to_operators",
    ),
    Mutant(
        name="an event without Stripe's signature is believed",
        path="billing/providers/stripe.py",
        old="library().WebhookSignature.verify_header(body, signature, secret, age)",
        new="pass",
        killed_by=f"{CARD}::test_an_event_that_is_not_signed_by_stripe_now_is_refused",
    ),
    Mutant(
        name="an operator decides a card payment",
        path="billing/top_ups.py",
        old='    if provider != "manual":',
        new="    if False:",
        killed_by=f"{CARD}::test_an_operator_does_not_decide_a_card_payment",
    ),
    Mutant(
        name="last month's charges count towards this month's cap",
        path="billing/selectors.py",
        old="WHERE wallet_id = $1 AND created_at >= $2 ORDER BY",
        new="WHERE wallet_id = $1 ORDER BY",
        killed_by="tests/billing/test_spending_cap.py::test_last_months_charges_do_not_count",
    ),
]

MUTANTS = [*HOLDS_AND_CAPTURES, *LOCKING, *TOP_UPS_AND_REVERSALS, *OPERATORS, *SETTLING, *CARDS]
