"""The steps that are taken in the services and in the model at once, and what must agree then.

Every example is one transaction that is rolled back.
"""

from collections.abc import Callable, Iterable
from datetime import timedelta
from itertools import count
from typing import Any, TypeVar

import pytest
from django.conf import settings as current
from django.db import transaction
from django.db.models import F
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from billing import adjustments, services, top_ups
from billing import models as money
from ml_models.models import ModelVersion
from mlservice.audit import run_checks
from mlservice.lib.errors import DomainError
from mlservice.lib.idempotency import IdempotencyKey
from mlservice.lib.ids import new_id
from predictions import reaping
from predictions import services as work_services
from predictions.models import Prediction
from predictions.submitting import Submission, submit_prediction
from tests.billing.ledger_model import Adjustment, Hold, Purse, Refused, TopUp, Work

Answer = TypeVar("Answer")
Step = TypeVar("Step", bound=Callable[..., Any])

MOST_ALONE = 20
OPERATORS = (0, 1)
DAYS = timedelta(days=2)

credits = st.integers(1, 60)
keys = st.sampled_from([None, None, "a", "b"])
operator = st.sampled_from(OPERATORS)


def some(bundle: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(bundle, min_size=1, max_size=4, unique_by=id)


def having(bundle: str) -> Callable[[Step], Step]:
    """Let a step that draws several things of a bundle wait for the first of them."""
    wait: Callable[[Step], Step] = precondition(lambda machine: bool(machine.bundle(bundle)))
    return wait


def agree(ours: Callable[[], object], theirs: Callable[[], Answer]) -> Answer | None:
    """Take a step in the model and in the services; both do it, or refuse for the same reason."""
    expected = refusal_of(ours)
    if expected is None:
        return theirs()
    with pytest.raises(DomainError) as refused:
        theirs()
    assert type(refused.value).__name__ == expected
    return None


def refusal_of(ours: Callable[[], object]) -> str | None:
    try:
        ours()
    except Refused as refusal:
        return str(refusal)
    return None


class Ledger(RuleBasedStateMachine):
    users: list[int]
    staff: list[int]
    version: ModelVersion

    purses: Bundle[Purse] = Bundle("purses")
    bought: Bundle[TopUp] = Bundle("bought")
    by_card: Bundle[TopUp] = Bundle("by_card")
    holds: Bundle[Hold] = Bundle("holds")
    works: Bundle[Work] = Bundle("works")
    adjusted: Bundle[Adjustment] = Bundle("adjusted")

    def __init__(self) -> None:
        super().__init__()
        self.numbers = count()
        self.mine: list[Purse] = []
        self.all_works: list[Work] = []
        self.example = transaction.atomic()
        self.example.__enter__()

    def teardown(self) -> None:
        try:
            self.what_is_at_rest_agrees()
            assert not any(run_checks().values()), run_checks()
        finally:
            transaction.set_rollback(True)
            self.example.__exit__(None, None, None)

    # Opening and buying.

    @initialize(
        target=purses,
        grants=st.tuples(*[st.integers(0, 150)] * 3),
        cents=st.sampled_from([1, 7, 2, 0]),
    )
    def open(self, grants: tuple[int, ...], cents: int) -> Any:
        current.CREDIT_PRICE_CENTS = cents
        for user_id, current.SIGNUP_CREDITS in zip(self.users, grants, strict=True):
            wallet = services.open_wallet(user_id=user_id)
            assert services.open_wallet(user_id=user_id) == wallet
            self.mine.append(Purse(user_id, wallet.pk, current.SIGNUP_CREDITS))
        return multiple(*self.mine)

    @rule(
        target=bought,
        purse=purses,
        amount=credits,
        key=keys,
        way=st.sampled_from(["demo", "manual"]),
    )
    def buy(self, purse: Purse, amount: int, key: str | None, way: str) -> Any:
        made = TopUp(purse, amount, amount * current.CREDIT_PRICE_CENTS)
        fingerprint = f"{amount} {way}"
        wallet = money.Wallet.objects.get(pk=purse.id)
        earlier: list[TopUp | None] = []

        def ours() -> None:
            earlier.append(purse.found("top-up", key, fingerprint))
            if earlier[0] is None:
                purse.check_pending(current.MAX_PENDING_TOP_UPS)

        real = agree(
            ours,
            lambda: top_ups.start_top_up(
                wallet=wallet,
                amount=amount,
                provider=way,
                key=IdempotencyKey(key, fingerprint),
            ),
        )
        if real is None:
            return multiple()
        if found := earlier[0]:
            assert (real.pk, real.is_replayed) == (found.id, True)
            return multiple()
        made.id = real.pk
        purse.top_ups.append(made)
        purse.remember("top-up", key, fingerprint, made)
        if way == "demo":
            made.pay(by_provider=False)
        return made

    @rule(target=by_card, purse=purses, amount=credits)
    def buy_by_card(self, purse: Purse, amount: int) -> Any:
        made: Any = self.buy(purse, amount, None, "manual")
        if isinstance(made, TopUp):
            self.paid(made, by_provider=True)
        return made

    @rule(top_up=bought, by_provider=st.booleans())
    def pay(self, top_up: TopUp, by_provider: bool) -> None:
        self.paid(top_up, by_provider=by_provider)

    def paid(self, top_up: TopUp, *, by_provider: bool) -> None:
        payment = f"pay-{top_up.id}" if by_provider else None
        agree(
            lambda: top_up.pay(by_provider=by_provider),
            lambda: services.pay_top_up(top_up_id=top_up.id, payment_id=payment),
        )

    @rule(top_up=bought, by=operator)
    def reject(self, top_up: TopUp, by: int) -> None:
        agree(
            lambda: top_up.close("failed"),
            lambda: services.reject_top_up(top_up_id=top_up.id, note="No", actor_id=self.staff[by]),
        )

    @having("bought")
    @rule(late=some(bought))
    def expire_top_ups(self, late: list[TopUp]) -> None:
        rows = money.TopUp.objects.filter(pk__in=[top_up.id for top_up in late])
        rows.update(expires_at=F("created_at") - DAYS)
        open_ones = [
            top_up
            for purse in self.mine
            for top_up in purse.top_ups
            if top_up in late and top_up.status == "pending"
        ]
        for top_up in open_ones:
            top_up.close("expired")
        assert top_ups.expire_top_ups() == len(open_ones)

    @having("by_card")
    @rule(
        top_up=by_card | by_card | bought,
        name=st.sampled_from(["re-1", "re-2", "re-3", "dp-1"]),
        cents=st.integers(1, 300),
        is_active=st.sampled_from([True, True, True, False]),
    )
    def reverse(self, top_up: TopUp, name: str, cents: int, is_active: bool) -> None:
        top_up.reverse(name, cents, is_active=is_active)
        services.record_reversal(
            provider="manual",
            payment_id=f"pay-{top_up.id}",
            external_id=f"{name} of {top_up.id}",
            cents=cents,
            is_active=is_active,
        )

    # Reserving and spending.

    @having("holds")
    @rule(purse=purses, cap=st.none() | st.integers(0, 300))
    def cap(self, purse: Purse, cap: int | None) -> None:
        purse.cap = cap
        services.set_spending_cap(wallet_id=purse.id, cap=cap)

    @rule(target=holds, purse=purses, wanted=credits | st.just("all there is"))
    def hold(self, purse: Purse, wanted: Any) -> Any:
        amount = wanted if isinstance(wanted, int) else max(1, purse.available)
        reference = ("test", str(next(self.numbers)))

        def place() -> money.Hold:
            wallet = services.lock_wallet(wallet_id=purse.id)
            return services.place_hold(wallet=wallet, amount=amount, reference=reference)

        real = agree(lambda: purse.place(amount), place)
        if real is None:
            return multiple()
        purse.holds[-1].id = real.pk
        return purse.holds[-1]

    @having("holds")
    @rule(chosen=some(holds), share=st.floats(0, 1))
    def resolve(self, chosen: list[Hold], share: float) -> None:
        parts = [round(hold.amount * share) for hold in chosen]
        held = money.Hold.objects.filter(pk__in=[hold.id for hold in chosen])
        names = held.values_list("reference_id", flat=True)
        services.lock_wallets(reference_type="test", reference_ids=names)
        services.resolve_holds(
            services.Resolution(hold.id, part) for hold, part in zip(chosen, parts, strict=True)
        )
        for hold, part in zip(chosen, parts, strict=True):
            hold.resolve(part)

    @rule(target=works, purse=purses, rows=st.integers(1, 20), key=keys, is_claimed=st.booleans())
    def submit(self, purse: Purse, rows: int, key: str | None, is_claimed: bool) -> Any:
        price, fingerprint = self.version.price, str(rows)
        earlier: list[Work | None] = []

        def ours() -> None:
            earlier.append(purse.found("work", key, fingerprint))
            if not earlier[0]:
                purse.place(rows * price)

        real = agree(
            ours,
            lambda: submit_prediction(
                user_id=purse.user_id,
                submission=Submission(self.version, [{}] * rows, rows, rows, price),
                source="api",
                key=IdempotencyKey(key, fingerprint),
            ),
        )
        if real is None:
            return multiple()
        if found := earlier[0]:
            assert (real.pk, real.is_replayed, real.status) == (found.id, True, found.status)
            return multiple()
        hold = purse.holds[-1]
        hold.id = real.hold_id
        work = Work(hold, price, real.pk)
        self.all_works.append(work)
        purse.remember("work", key, fingerprint, work)
        if is_claimed:
            self.claim([work])
        return work

    @having("works")
    @rule(wanted=some(works))
    def claim(self, wanted: list[Work]) -> None:
        taken = [work for work in wanted if work.claim()]
        claims = work_services.claim([work.id for work in wanted])
        assert sorted((one.id, one.attempt) for one in claims) == sorted(
            (work.id, work.attempt) for work in taken
        )

    @rule(target=by_card, purse=purses, amount=credits, cents=st.integers(1, 300))
    def spend_and_dispute(self, purse: Purse, amount: int, cents: int) -> Any:
        """Chance alone hardly ever freezes a wallet."""
        top_up = self.buy_by_card(purse, amount)
        hold = self.hold(purse, "all there is")
        if isinstance(hold, Hold):
            self.resolve([hold], 1.0)
        if isinstance(top_up, TopUp):
            self.reverse(top_up, "dp-0", cents, is_active=True)
        return top_up

    @having("works")
    @rule(chosen=some(works), late=st.sampled_from([0, 0, 0, 1]), data=st.data())
    def settle(self, chosen: list[Work], late: int, data: st.DataObject) -> None:
        """Settle a group as its workers would, the late ones with an attempt that is over."""
        outcomes, done = [], 0
        for work in chosen:
            rows = data.draw(st.integers(0, work.hold.amount // work.price))
            status, cost = ("succeeded" if rows else "failed"), rows * work.price
            attempt = work.attempt - late
            outcomes.append(work_services.Outcome(work.id, attempt, status, cost))
            done += work.settle(attempt, status, cost)
        assert work_services.settle(outcomes) == done

    @rule(work=works)
    def cancel(self, work: Work) -> None:
        prediction = Prediction.objects.get(pk=work.id)
        agree(work.cancel, lambda: work_services.cancel_prediction(prediction=prediction))

    @having("works")
    @rule(lost=some(works))
    def lose_workers(self, lost: list[Work]) -> None:
        rows = Prediction.objects.filter(pk__in=[work.id for work in lost], status="processing")
        rows.update(lease_expires_at=F("created_at") - DAYS)
        for work in lost:
            work.lose_its_worker(current.PREDICTION_MAX_ATTEMPTS)
        reaping.return_expired_leases()
        reaping.fail_exhausted()

    @having("works")
    @rule(old=some(works))
    def grow_old(self, old: list[Work]) -> None:
        rows = Prediction.objects.filter(pk__in=[work.id for work in old], status="starting")
        rows.update(created_at=F("created_at") - DAYS)
        for work in old:
            work.expire()
        reaping.expire_old()

    # Operators.

    @rule(target=adjusted, purse=purses, amount=st.integers(-60, 60).filter(bool), by=operator)
    def adjust(self, purse: Purse, amount: int, by: int) -> Any:
        kind = "grant" if amount % 3 == 0 and amount > 0 else "correction"
        return self.asked(Adjustment(kind, purse, amount, None, new_id()), by)

    @rule(target=adjusted, hold=holds, amount=credits, by=operator)
    def refund(self, hold: Hold, amount: int, by: int) -> Any:
        return self.asked(Adjustment("refund", hold.purse, amount, hold, new_id()), by)

    @rule(target=adjusted, work=works, amount=credits, by=operator)
    def refund_prediction(self, work: Work, amount: int, by: int) -> Any:
        hold = work.hold
        return self.asked(Adjustment("refund", hold.purse, amount, hold, new_id()), by)

    @rule(adjustment=adjusted, by=operator)
    def ask_again(self, adjustment: Adjustment, by: int) -> None:
        self.asked(adjustment, by)

    def asked(self, wanted: Adjustment, by: int) -> Any:
        wanted.by = by if wanted.status == "new" else wanted.by
        agree(
            lambda: wanted.ask(most_alone=MOST_ALONE),
            lambda: adjustments.adjust(
                kind=wanted.kind,
                wallet_id=wanted.purse.id,
                amount=wanted.amount,
                reason="Agreed",
                actor_id=self.staff[by],
                adjustment_id=wanted.id,
                hold_id=wanted.hold.id if wanted.hold else None,
            ),
        )
        return multiple() if wanted.status == "new" else wanted

    @rule(adjustment=adjusted, by=operator, is_approved=st.booleans())
    def decide(self, adjustment: Adjustment, by: int, is_approved: bool) -> None:
        if abs(adjustment.amount) <= MOST_ALONE:
            return
        decision = {"adjustment_id": adjustment.id, "actor_id": self.staff[by]}
        if is_approved:
            agree(
                lambda: adjustment.approve(by_who_asked=by == adjustment.by),
                lambda: adjustments.approve_adjustment(**decision),
            )
        else:
            agree(adjustment.reject, lambda: adjustments.reject_adjustment(**decision))

    # What must agree.

    @invariant()
    def wallets_agree(self) -> None:
        rows = money.Wallet.objects.order_by("pk").values_list("balance", "held", "shortfall")
        assert list(rows) == [
            (purse.balance, purse.held, purse.shortfall)
            for purse in sorted(self.mine, key=lambda purse: purse.id)
        ]

    def what_is_at_rest_agrees(self) -> None:
        everything = [
            (
                money.Hold.objects.values_list("pk", "status", "captured", "refunded"),
                ((h.id, h.status, h.captured, h.refunded) for p in self.mine for h in p.holds),
            ),
            (
                money.TopUp.objects.values_list("pk", "status", "reversed", "shortfall"),
                ((t.id, t.status, t.reversed, t.shortfall) for p in self.mine for t in p.top_ups),
            ),
            (
                Prediction.objects.values_list("pk", "status", "attempt", "cost"),
                ((w.id, w.status, w.attempt, w.hold.captured) for w in self.all_works),
            ),
        ]
        rows: Iterable[Any]
        for stored, expected in everything:
            rows = stored
            assert sorted(rows) == sorted(expected)
