"""Mutants of the money: every lock, guard, sign and order that keeps the books right."""

from tests.mutants import Mutant

MONEY = "billing/services.py"
WORK = "predictions/services.py"
HOLDS = "tests/billing/test_holds.py"
ADJUSTMENTS = "tests/billing/test_adjustments.py"
REVERSALS = "tests/billing/test_reversals.py"
CAP = "tests/billing/test_spending_cap.py"
CARD = "tests/billing/test_card_payments.py"
SETTLING = "tests/races/test_settling.py"
SETTLEMENT = "tests/predictions/test_settlement.py"
KEYS = "tests/races/test_one_key_at_once.py"

HOLDS_AND_CHARGES = [
    Mutant(
        name="a hold that is resolved already is resolved again",
        path=MONEY,
        old="WHERE hold.id = outcome.hold_id AND hold.status = 'held'",
        new="WHERE hold.id = outcome.hold_id",
        killed_by=f"{HOLDS}::test_a_hold_that_is_resolved_stays_as_it_is",
    ),
    Mutant(
        name="a charge is added to the balance",
        path=MONEY,
        old="SET balance = wallet.balance - total.captured",
        new="SET balance = wallet.balance + total.captured",
        killed_by=f"{HOLDS}::test_a_capture_charges_once_and_releases_the_rest",
    ),
    Mutant(
        name="what was not captured stays held",
        path=MONEY,
        old="held = wallet.held - total.amount",
        new="held = wallet.held - total.captured",
        killed_by=f"{HOLDS}::test_a_capture_charges_once_and_releases_the_rest",
    ),
    Mutant(
        name="an entry's sign is flipped",
        path=MONEY,
        old="SELECT resolved.wallet_id, 'capture', -resolved.captured,",
        new="SELECT resolved.wallet_id, 'capture', resolved.captured,",
        killed_by=f"{HOLDS}::test_a_capture_charges_once_and_releases_the_rest",
    ),
    Mutant(
        name="each balance after is the last one",
        path=MONEY,
        old="OVER (PARTITION BY resolved.wallet_id ORDER BY resolved.id)",
        new="OVER (PARTITION BY resolved.wallet_id)",
        killed_by=f"{HOLDS}::test_many_holds_of_many_wallets_resolve_in_one_statement",
    ),
    Mutant(
        name="entries are written in any order",
        path=MONEY,
        old="WHERE resolved.captured > 0\nORDER BY resolved.id",
        new="WHERE resolved.captured > 0\nORDER BY resolved.id DESC",
        killed_by=f"{HOLDS}::test_many_holds_of_many_wallets_resolve_in_one_statement",
    ),
    Mutant(
        name="a release leaves an entry",
        path=MONEY,
        old="WHERE resolved.captured > 0\n",
        new="",
        killed_by=f"{HOLDS}::test_a_release_gives_everything_back_and_writes_no_entry",
    ),
    Mutant(
        name="a wallet is read without its lock",
        path=MONEY,
        old='Wallet.objects.select_for_update(of=("self",)).get(pk=wallet_id)',
        new="Wallet.objects.get(pk=wallet_id)",
        killed_by="tests/races/test_spending_one_wallet.py"
        "::test_a_wallet_worth_100_predictions_buys_exactly_100",
    ),
    Mutant(
        name="a frozen wallet goes on spending",
        path=MONEY,
        old="    if wallet.is_frozen:\n        raise WalletFrozen(",
        new="    if False:\n        raise WalletFrozen(",
        killed_by=f"{REVERSALS}::test_what_is_not_available_is_owed_and_freezes_the_wallet",
    ),
    Mutant(
        name="the cap is looked at and not kept",
        path=MONEY,
        old="    if committed + amount > cap:",
        new="    if committed > cap:",
        killed_by=f"{CAP}::test_holds_and_charges_count_towards_the_cap",
    ),
    Mutant(
        name="last month's charges count towards this month's cap",
        path="billing/selectors.py",
        old="kind=LedgerEntry.Kind.CAPTURE, created_at__gte=month_start()",
        new="kind=LedgerEntry.Kind.CAPTURE",
        killed_by=f"{CAP}::test_last_months_charges_do_not_count",
    ),
]

TOP_UPS_AND_REVERSALS = [
    Mutant(
        name="a top-up is paid in whatever state it is",
        path=MONEY,
        old="TopUp.objects.filter(pk=top_up_id, status__in=open_states).update(",
        new="TopUp.objects.filter(pk=top_up_id).update(",
        killed_by="tests/billing/test_top_ups.py::test_a_top_up_is_paid_once",
    ),
    Mutant(
        name="a repeated reversal ends the first one",
        path=MONEY,
        old="        if not is_new and not is_active:",
        new="        if not is_new:",
        killed_by=f"{REVERSALS}::test_the_same_reversal_again_changes_nothing",
    ),
    Mutant(
        name="more is taken back than was paid",
        path=MONEY,
        old='cents = min(active.aggregate(total=Sum("cents"))["total"] or 0, top_up.cents)',
        new='cents = active.aggregate(total=Sum("cents"))["total"] or 0',
        killed_by=f"{REVERSALS}::test_parts_add_up_and_never_beyond_the_payment",
    ),
    Mutant(
        name="reversals that ended still count",
        path=MONEY,
        old="provider=top_up.provider, payment_id=top_up.payment_id, is_active=True\n",
        new="provider=top_up.provider, payment_id=top_up.payment_id\n",
        killed_by=f"{REVERSALS}::test_a_dispute_that_is_won_gives_the_credits_back",
    ),
    Mutant(
        name="a reversal takes what is held for work",
        path=MONEY,
        old="credits = min(wallet.available, top_up.shortfall)",
        new="credits = min(wallet.balance, top_up.shortfall)",
        killed_by=f"{REVERSALS}::test_a_held_credit_is_not_taken",
    ),
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
        old="event = stripe.Webhook.construct_event(body, signature, "
        "settings.STRIPE_WEBHOOK_SECRET)",
        new="event = stripe.Event.construct_from(__import__('json').loads(body), None)",
        killed_by=f"{CARD}::test_an_event_that_is_not_signed_by_stripe_now_is_refused",
    ),
]

OPERATORS = [
    Mutant(
        name="a charge is refunded twice",
        path=MONEY,
        old="        if hold.refunded:\n",
        new="        if False:\n",
        killed_by=f"{ADJUSTMENTS}::test_a_refund_gives_back_at_most_what_was_charged_and_once",
    ),
    Mutant(
        name="more is refunded than was charged",
        path=MONEY,
        old="        if amount > hold.captured:\n",
        new="        if False:\n",
        killed_by=f"{ADJUSTMENTS}::test_a_refund_gives_back_at_most_what_was_charged_and_once",
    ),
    Mutant(
        name="a correction takes more than is available",
        path=MONEY,
        old="        if wallet.available + amount < 0:",
        new="        if wallet.balance + amount < 0:",
        killed_by=f"{ADJUSTMENTS}::test_a_correction_below_what_is_available_is_refused",
    ),
    Mutant(
        name="whoever asked approves",
        path="billing/adjustments.py",
        old="    if status == Status.APPROVED and waiting.requested_by_id == actor_id:",
        new="    if False:",
        killed_by=f"{ADJUSTMENTS}::test_a_large_grant_waits_for_a_second_operator",
    ),
]

WORK_THAT_IS_PAID = [
    Mutant(
        name="a worker that lost its lease settles",
        path=WORK,
        old="WHERE prediction.status = %s AND prediction.attempt = outcome.attempt",
        new="WHERE prediction.status = %s",
        killed_by=f"{SETTLING}::test_a_worker_that_lost_its_lease_cannot_settle_beside_its_successor",
    ),
    Mutant(
        name="what has finished is settled again",
        path=WORK,
        old="WHERE prediction.status = %s AND prediction.attempt = outcome.attempt",
        new="WHERE prediction.status IN (%s, 'succeeded') AND prediction.attempt = outcome.attempt",
        killed_by=f"{SETTLING}::test_one_result_settled_by_many_is_captured_once",
    ),
    Mutant(
        name="a message that is delivered twice is claimed twice",
        path=WORK,
        old="WHERE id = ANY(%(ids)s) AND status = 'starting'",
        new="WHERE id = ANY(%(ids)s) AND status IN ('starting', 'processing')",
        killed_by=f"{SETTLING}::test_one_message_delivered_to_many_is_claimed_once",
    ),
    Mutant(
        name="what was canceled while it ran is charged",
        path=WORK,
        old="cost = CASE WHEN is_canceled THEN 0 ELSE current.cost END",
        new="cost = current.cost",
        killed_by=f"{SETTLEMENT}::test_canceling_what_runs_makes_it_free_at_its_end",
    ),
    Mutant(
        name="a settlement forgets the holds",
        path=WORK,
        old="        billing.resolve_holds(resolutions)\n",
        new="",
        killed_by=f"{SETTLEMENT}::test_a_prediction_runs_and_is_charged_once",
    ),
    Mutant(
        name="the second look for a key is dropped",
        path=WORK,
        old="        if found := replayed_prediction(user_id=user_id, key=key):\n"
        "            return found\n",
        new="",
        killed_by=f"{KEYS}::test_fifty_requests_with_one_key_make_one_prediction",
    ),
]

MUTANTS = [*HOLDS_AND_CHARGES, *TOP_UPS_AND_REVERSALS, *OPERATORS, *WORK_THAT_IS_PAID]
