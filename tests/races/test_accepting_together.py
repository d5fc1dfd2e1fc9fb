"""Goal: requests of one process that come at once share a transaction, and nothing else.

Method: whoever leads is held until the others stand in line, so that they go together.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from threading import Event
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from accounts.models import User
from billing.errors import InsufficientCredits, WalletFrozen
from billing.models import Hold
from billing.services import lock_wallet, pay_top_up, record_reversal, wallet_of
from billing.top_ups import start_top_up
from ml_models.models import ModelVersion
from mlservice.lib.idempotency import IdempotencyKey, IdempotencyMismatch
from mlservice.lib.ids import new_id
from predictions import accepting, submitting
from predictions.accepting import ROWS_TOGETHER_AT_MOST, TOGETHER_AT_MOST, Ticket, desk
from predictions.errors import AccountDisabled
from predictions.models import Prediction
from predictions.submitting import Order, prepare_submission
from predictions.waiting import Waiters, submit_and_wait, waiters
from tests.conftest import make_prediction, make_user
from tests.races.threads import at_once, results

LONG_SECONDS = 20
really_answers_for = accepting.answers_for

Call = Callable[[], Prediction]


def eventually(so: Callable[[], bool]) -> None:
    until = time.monotonic() + LONG_SECONDS
    while not so():
        assert time.monotonic() < until, "it never came to be so"
        time.sleep(0.002)


class Line:
    """Notes whose orders went together; the first to lead waits until `may_go` says so."""

    def __init__(self) -> None:
        self.taken: list[list[Order]] = []
        self.is_led = Event()
        self.may_go: Callable[[], bool] = lambda: True

    def answers_for(self, together: Sequence[Ticket]) -> Sequence[accepting.Answer]:
        self.taken.append([ticket.order for ticket in together])
        if not self.is_led.is_set():
            self.is_led.set()
            eventually(self.may_go)
        return really_answers_for(together)

    def sizes(self) -> list[int]:
        return [len(orders) for orders in self.taken]


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    line = Line()
    monkeypatch.setattr(accepting, "answers_for", line.answers_for)
    yield line
    assert (desk.is_led, desk.waiting) == (False, [])


def order(user: User, *, rows: int = 1, **fields: Any) -> Order:
    example = ModelVersion.objects.get().example
    submission = prepare_submission(model="linear-regression", input=[example] * rows)
    return Order(user_id=user.pk, submission=submission, source="api", **fields)


def accept(user: User, **fields: Any) -> Call:
    placed = order(user, **fields)
    return lambda: desk.accept(placed)


def while_led(line: Line, calls: Sequence[Call]) -> list[Prediction | Exception]:
    """Make the calls while an order of somebody else is being accepted; give their answers."""
    leading = accept(make_user("leader", credits=1))

    def later(call: Call) -> Call:
        def wait_and_call() -> Prediction:
            assert line.is_led.wait(LONG_SECONDS)
            return call()

        return wait_and_call

    first, *answers = at_once([leading, *map(later, calls)])
    assert isinstance(first, Prediction)
    return answers


def together(line: Line, calls: Sequence[Call]) -> list[Prediction | Exception]:
    """Make the calls so that they all stand in line before any is accepted."""
    line.may_go = lambda: len(desk.waiting) == len(calls)
    return while_led(line, calls)


def names(answers: Sequence[object]) -> list[str]:
    return sorted(type(answer).__name__ for answer in answers)


def held(user: User) -> int:
    return wallet_of(user.pk).held


def transactions() -> int:
    """Count those that wrote the predictions."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(DISTINCT xmin::text) FROM predictions_prediction")
        return int(cursor.fetchone()[0])


def make_frozen(username: str) -> User:
    """Return a user whose payment was taken back after its credits were held."""
    user = make_user(username)
    top_up = start_top_up(wallet=wallet_of(user.pk), amount=10, provider="manual")
    pay_top_up(top_up_id=top_up.pk, payment_id=username)
    make_prediction(user, input=[ModelVersion.objects.get().example] * 10)
    record_reversal(
        provider="manual", payment_id=username, external_id="re_1", cents=10, is_active=True
    )
    return user


def make_disabled(username: str) -> User:
    user = make_user(username, credits=1)
    User.objects.filter(pk=user.pk).update(is_active=False)
    return user


def test_orders_of_many_users_share_one_transaction(
    line: Line, published_version: ModelVersion
) -> None:
    users = [make_user(f"user{number}", credits=3) for number in range(12)]

    made = results(together(line, [accept(user, rows=2) for user in users]))

    assert line.sizes() == [1, 12]
    assert [one.user_id for one in made] == [user.pk for user in users]
    assert (Prediction.objects.count(), transactions()) == (13, 2)
    assert [held(user) for user in users] == [2] * 12


def test_the_relay_is_woken_after_the_commit(
    line: Line, published_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, key = make_user("alice", credits=9), IdempotencyKey("order-1", "0" * 64)
    woken: list[bool] = []
    monkeypatch.setattr(submitting.submitted, "send", lambda: woken.append(is_within()))

    def is_within() -> bool:
        return connection.in_atomic_block

    results(together(line, [accept(alice), accept(alice)]))
    make_prediction(alice, key=key)

    assert woken == [False] * 3


def test_each_is_given_what_was_stored_for_it(line: Line, published_version: ModelVersion) -> None:
    users = [make_user(f"user{number}", credits=9) for number in range(4)]
    calls = [
        accept(user, rows=rows, metadata={"rows": str(rows)}, cancel_after_seconds=rows * 100)
        for rows, user in enumerate(users, start=1)
    ]

    made = results(together(line, calls))

    for rows, one in enumerate(made, start=1):
        stored = Prediction.objects.with_version().get(pk=one.pk)
        assert (stored.rows_total, stored.hold.amount, stored.metadata) == (
            rows,
            rows,
            {"rows": str(rows)},
        )
        assert (one.created_at, one.deadline) == (stored.created_at, stored.deadline)
        assert stored.deadline is not None
        assert (stored.deadline - stored.created_at).total_seconds() == pytest.approx(
            rows * 100, abs=1
        )


def test_orders_of_one_wallet_get_exactly_what_it_holds(
    line: Line, published_version: ModelVersion
) -> None:
    alice = make_user("alice", credits=5)

    answers = together(line, [accept(alice) for _ in range(8)])

    assert line.sizes() == [1, 8]
    assert names(answers) == ["InsufficientCredits"] * 3 + ["Prediction"] * 5
    assert (held(alice), wallet_of(alice.pk).available) == (5, 0)


@pytest.mark.parametrize(
    ("make_refused", "refusal"),
    [
        (make_user, InsufficientCredits),
        (make_disabled, AccountDisabled),
        (make_frozen, WalletFrozen),
    ],
)
def test_a_refusal_of_one_touches_no_other(
    line: Line,
    published_version: ModelVersion,
    make_refused: Callable[[str], User],
    refusal: type[Exception],
) -> None:
    alice, bob = make_user("alice", credits=1), make_user("bob", credits=1)
    refused = make_refused("refused")
    before = (held(refused), Hold.objects.count())

    made, no, also_made = together(line, [accept(alice), accept(refused), accept(bob)])

    assert line.sizes() == [1, 3]
    assert (type(made), type(no), type(also_made)) == (Prediction, refusal, Prediction)
    assert (held(alice), held(bob)) == (1, 1)
    assert (held(refused), Hold.objects.count()) == (before[0], before[1] + 3)


def test_a_refusal_asked_of_the_locked_user_is_its_orders_own(
    line: Line, published_version: ModelVersion
) -> None:
    alice, bob = make_user("alice", credits=1), make_user("bob", credits=1)
    asked: list[str] = []

    def ended(user: User) -> Exception:
        asked.append(user.username)
        return PermissionError("ended")

    no, made = together(line, [accept(alice, refusal=ended), accept(bob)])

    assert (type(no), type(made), asked) == (PermissionError, Prediction, ["alice"])
    assert (held(alice), held(bob)) == (0, 1)


def test_who_is_no_user_any_more_touches_no_other(
    line: Line, published_version: ModelVersion
) -> None:
    alice, gone = make_user("alice", credits=1), User(pk=10**9)

    made, no = together(line, [accept(alice), accept(gone)])

    assert line.sizes() == [1, 2]
    assert (type(made), type(no)) == (Prediction, AccountDisabled)
    assert held(alice) == 1


def test_a_wallet_that_is_missing_is_opened(line: Line, published_version: ModelVersion) -> None:
    alice = make_user("alice", credits=1)
    root = User.objects.create_superuser("root", "root@example.com", "a long phrase")

    made, no = together(line, [accept(alice), accept(root)])

    assert line.sizes() == [1, 2]
    assert (type(made), type(no)) == (Prediction, InsufficientCredits)
    assert held(root) == 0


def test_twins_are_never_together_and_the_later_ones_are_replays(
    line: Line, published_version: ModelVersion
) -> None:
    alice, bob = make_user("alice", credits=9), make_user("bob", credits=9)
    key = IdempotencyKey("order-1", "0" * 64)

    twins = [accept(alice, key=key) for _ in range(3)]
    made = results(together(line, [*twins, accept(alice), accept(bob, key=key)]))

    assert line.sizes() == [1, 3, 1, 1]
    for orders in line.taken:
        keys = Counter((one.user_id, one.key.value) for one in orders if one.key.value)
        assert max(keys.values(), default=0) <= 1
    assert len({one.pk for one in made[:3]}) == 1
    assert sorted(one.is_replayed for one in made[:3]) == [False, True, True]
    assert (held(alice), held(bob)) == (2, 1)


def test_a_twin_with_another_body_is_refused_and_touches_no_other(
    line: Line, published_version: ModelVersion
) -> None:
    alice, bob = make_user("alice", credits=9), make_user("bob", credits=9)
    make_prediction(alice, key=IdempotencyKey("order-1", "0" * 64))
    other = IdempotencyKey("order-1", "1" * 64)

    no, made = together(line, [accept(alice, key=other), accept(bob)])

    assert line.sizes() == [1, 2]
    assert (type(no), type(made)) == (IdempotencyMismatch, Prediction)
    assert (held(alice), held(bob)) == (1, 1)


def test_who_leads_alone_for_a_locked_wallet_keeps_nobody_waiting_who_comes(
    published_version: ModelVersion,
) -> None:
    alice, bob = make_user("alice", credits=1), make_user("bob", credits=1)
    is_locked, bobs = Event(), Event()

    def hold_alices_wallet() -> bool:
        with transaction.atomic():
            lock_wallet(wallet_id=wallet_of(alice.pk).pk)
            is_locked.set()
            return bobs.wait(LONG_SECONDS)

    def lead() -> None:
        assert is_locked.wait(LONG_SECONDS)
        accept(alice)()

    def follow() -> None:
        eventually(lambda: desk.is_led)
        accept(bob)()
        bobs.set()

    calls: list[Callable[[], object]] = [hold_alices_wallet, lead, follow]

    was_accepted_meanwhile, *_ = results(at_once(calls))

    assert was_accepted_meanwhile
    assert (held(alice), held(bob)) == (1, 1)


def test_who_waits_for_a_locked_wallet_keeps_no_other_waiting(
    line: Line, published_version: ModelVersion
) -> None:
    alice, bob, carol = (make_user(name, credits=1) for name in ("alice", "bob", "carol"))
    is_locked = Event()
    finished: list[str] = []
    waiting_meanwhile: list[str] = []
    line.may_go = lambda: len(desk.waiting) == 3

    def hold_bobs_wallet() -> None:
        with transaction.atomic():
            lock_wallet(wallet_id=wallet_of(bob.pk).pk)
            is_locked.set()
            eventually(lambda: len(finished) == 2)
            waiting_meanwhile.extend(finished)

    def finishing(user: User) -> Callable[[], None]:
        call = accept(user)

        def wait_and_call() -> None:
            assert line.is_led.wait(LONG_SECONDS)
            call()
            finished.append(user.username)

        return wait_and_call

    leading = accept(make_user("leader", credits=1))

    def lead() -> None:
        assert is_locked.wait(LONG_SECONDS)
        leading()

    results(at_once([hold_bobs_wallet, lead, *map(finishing, (alice, bob, carol))]))

    assert line.sizes() == [1, 3]
    assert sorted(waiting_meanwhile) == ["alice", "carol"]
    assert sorted(finished) == ["alice", "bob", "carol"]
    assert [held(user) for user in (alice, bob, carol)] == [1, 1, 1]


def test_what_the_database_refuses_to_all_each_hears_for_itself(
    line: Line, published_version: ModelVersion
) -> None:
    alice, bob, carol = (make_user(name, credits=1) for name in ("alice", "bob", "carol"))
    one_id = new_id()
    calls = [accept(alice, prediction_id=one_id), accept(bob, prediction_id=one_id), accept(carol)]

    *clashed, made = together(line, calls)

    assert line.sizes() == [1, 3]
    assert names(clashed) == ["IntegrityError", "Prediction"]
    assert any(isinstance(answer, IntegrityError) for answer in clashed)
    assert isinstance(made, Prediction)
    assert (held(alice) + held(bob), held(carol)) == (1, 1)


def test_who_goes_alone_still_waits_for_the_end(
    line: Line, published_version: ModelVersion
) -> None:
    alice, bob = make_user("alice", credits=1), make_user("bob", credits=1)
    one_id, ends = new_id(), [Event(), Event()]

    def waiting(user: User, end: Event) -> Call:
        placed = order(user, prediction_id=one_id)
        return lambda: desk.accept(placed, end=end, seconds=LONG_SECONDS)

    answers = together(line, [waiting(alice, ends[0]), waiting(bob, ends[1])])

    assert names(answers) == ["IntegrityError", "Prediction"]
    assert [end.is_set() for end in ends] == [False, False]


def test_an_error_of_ours_is_told_to_all_and_nobody_tries_again(
    line: Line, published_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = make_user("alice", credits=1), make_user("bob", credits=1)
    asked: list[int] = []

    def fail(orders: Sequence[Order], **how: Any) -> Any:
        if len(orders) == 1:
            return submitting.submit_predictions(orders, **how)
        asked.append(len(orders))
        raise ConnectionError("lost in COMMIT")

    monkeypatch.setattr(accepting, "submit_predictions", fail)
    answers = together(line, [accept(alice), accept(bob)])

    assert asked == [2]
    assert names(answers) == ["ConnectionError"] * 2
    assert answers[0] is not answers[1]
    assert (held(alice), held(bob)) == (0, 0)


def test_an_order_within_a_transaction_goes_alone_and_back_with_it(
    line: Line, published_version: ModelVersion
) -> None:
    alice = make_user("alice", credits=2)
    call, is_done = accept(alice), Event()
    line.may_go = is_done.is_set

    def accept_and_go_back() -> Prediction:
        with transaction.atomic():
            made = call()
            transaction.set_rollback(True)
        is_done.set()
        return made

    results(while_led(line, [accept_and_go_back]))

    assert line.sizes() == [1]
    assert (held(alice), Prediction.objects.count()) == (0, 1)


def test_an_order_of_many_rows_goes_alone(line: Line, published_version: ModelVersion) -> None:
    alice = make_user("alice", credits=1_000)
    call, is_done = accept(alice, rows=ROWS_TOGETHER_AT_MOST + 1), Event()
    line.may_go = is_done.is_set

    def accept_and_tell() -> Prediction:
        made = call()
        is_done.set()
        return made

    [made] = results(while_led(line, [accept_and_tell]))

    assert line.sizes() == [1]
    assert held(alice) == made.rows_total == ROWS_TOGETHER_AT_MOST + 1


def test_no_more_go_together_than_may(
    line: Line, published_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accepting, "TOGETHER_AT_MOST", 4)
    alice = make_user("alice", credits=10)

    results(together(line, [accept(alice) for _ in range(10)]))

    assert TOGETHER_AT_MOST > 4
    assert line.sizes() == [1, 4, 4, 2]
    assert held(alice) == 10


def test_leading_is_handed_on_until_nobody_waits(
    line: Line, published_version: ModelVersion
) -> None:
    users = [make_user(f"user{number}", credits=8) for number in range(12)]
    calls = [[accept(user) for _ in range(8)] for user in users]

    def all_of(mine: Sequence[Call]) -> Callable[[], list[Prediction]]:
        return lambda: [call() for call in mine]

    made = results(at_once([all_of(mine) for mine in calls]))

    assert sum(line.sizes()) == 96
    assert len({one.pk for mine in made for one in mine}) == Prediction.objects.count() == 96
    assert [held(user) for user in users] == [8] * 12


def test_who_waits_for_the_end_is_woken_by_it_alone(
    line: Line, published_version: ModelVersion
) -> None:
    first, second = make_user("first", credits=1), make_user("second", credits=1)
    ends = [Event(), Event()]
    answered: list[int] = []

    def waiting(user: User, end: Event) -> Call:
        placed = order(user)

        def wait() -> Prediction:
            made = desk.accept(placed, end=end, seconds=LONG_SECONDS)
            answered.append(user.pk)
            end.wait(LONG_SECONDS)
            return made

        return wait

    calls = [waiting(first, ends[0]), waiting(second, ends[1])]

    def finish() -> Prediction:
        eventually(lambda: Prediction.objects.count() == 3 and bool(answered))
        # One of the two led and so is back already; the other sleeps on.
        time.sleep(0.1)
        assert (len(answered), [end.is_set() for end in ends]) == (1, [False, False])
        for end in ends:
            end.set()
        return Prediction.objects.all()[0]

    line.may_go = lambda: len(desk.waiting) == 2
    results(while_led(line, [*calls, finish]))

    assert line.sizes() == [1, 2]
    assert sorted(answered) == [first.pk, second.pk]


def test_a_refusal_wakes_who_waits_for_an_end(line: Line, published_version: ModelVersion) -> None:
    alice, poor = make_user("alice", credits=1), make_user("poor")
    placed = order(poor)
    began = time.monotonic()

    made, no = together(
        line,
        [accept(alice), lambda: desk.accept(placed, end=Event(), seconds=LONG_SECONDS)],
    )

    assert (type(made), type(no)) == (Prediction, InsufficientCredits)
    assert time.monotonic() - began < LONG_SECONDS / 2


def test_who_has_waited_long_enough_still_leads_when_it_is_its_turn(
    line: Line, published_version: ModelVersion
) -> None:
    users = [make_user(f"user{number}", credits=1) for number in range(3)]
    placed = [order(user) for user in users]
    began = time.monotonic()
    line.may_go = lambda: len(desk.waiting) == 3 and time.monotonic() - began > 0.5

    def impatient(one: Order) -> Call:
        return lambda: desk.accept(one, end=Event(), seconds=0.05)

    made = results(while_led(line, [impatient(one) for one in placed]))

    assert line.sizes() == [1, 3]
    assert [one.user_id for one in made] == [user.pk for user in users]


def test_draining_ends_the_wait_and_not_what_is_being_accepted(
    line: Line, published_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = [make_user(f"user{number}", credits=1) for number in range(3)]
    submission = order(users[0]).submission
    # Put back in the end: the whole process has one.
    monkeypatch.setattr(waiters, "is_draining", False)
    monkeypatch.setattr(Waiters, "_listen", lambda self: None)
    began = time.monotonic()

    def may_go() -> bool:
        if len(desk.waiting) == 3 and not waiters.is_draining:
            waiters.drain()
            # Whoever was woken by it has gone on by then.
            time.sleep(0.2)
        return waiters.is_draining

    def waiting(user: User) -> Call:
        return lambda: submit_and_wait(
            seconds=LONG_SECONDS, user_id=user.pk, submission=submission, source="api"
        )

    line.may_go = may_go
    made = results(while_led(line, [waiting(user) for user in users]))

    assert line.sizes() == [1, 3]
    assert [one.status for one in made] == ["starting"] * 3
    assert time.monotonic() - began < LONG_SECONDS / 2
    assert waiters.waiting == {}
