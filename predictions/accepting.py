"""How requests of one process are accepted: who finds nobody at it takes all who wait along."""

from collections.abc import Sequence
from copy import copy
from threading import Event, Lock

from django.db import DataError, IntegrityError, connection

from mlservice.lib.locks import LockTimeout, telling_lock_timeouts
from mlservice.lib.shared_connection import SharedConnection
from predictions.models import Prediction
from predictions.submitting import Order, submit_order, submit_predictions

# Orders of more rows go alone: their texts are long, and the others would wait for them.
ROWS_TOGETHER_AT_MOST = 100
TOGETHER_AT_MOST = 64
# One locked wallet must not keep the others waiting, nor those who come: then each goes alone.
WAIT_TOGETHER_MS = 100

Answer = Prediction | Exception | None


class Ticket:
    """An order that waits until it is `served`: it is to lead, or has been answered.

    Who waits for the prediction's end too is `called`, by that or to lead, and so wakes once.
    """

    def __init__(self, order: Order, end: Event | None) -> None:
        self.order, self.served, self.leads = order, Event(), False
        self.called = end or self.served
        self.answer: Answer = None  # and stays so for an order that must go alone

    def call_to_lead(self) -> None:
        self.leads = True
        self.served.set()
        self.called.set()

    def serve(self) -> None:
        self.served.set()
        if not isinstance(self.answer, Prediction) or self.answer.is_replayed:
            self.called.set()


class Desk:
    """The orders of this process that wait, and the one of them, if any, that leads."""

    def __init__(self) -> None:
        self.lock, self.is_led = Lock(), False
        self.waiting: list[Ticket] = []

    def accept(
        self, order: Order, *, end: Event | None = None, seconds: float | None = None
    ) -> Prediction:
        """Accept an order alone or with others; raise what `submit_prediction` raises.

        `end`, which whoever sees the prediction end sets, is perhaps waited for: `seconds` at most.
        """
        # Who is in a transaction already would take the others' orders into it.
        if order.submission.rows_total > ROWS_TOGETHER_AT_MOST or connection.in_atomic_block:
            return submit_order(order)
        ticket = Ticket(order, end)
        with self.lock:
            self.waiting.append(ticket)
            ticket.leads, self.is_led = not self.is_led, True
        if not ticket.leads:
            ticket.called.wait(seconds)
            # Its time may be up before its turn to lead: nobody else would lead then.
            ticket.served.wait()
        if ticket.leads:
            ticket.called.clear()
            self.lead()
        if ticket.answer is None:
            # It was called to go alone: its end is still to come.
            ticket.called.clear()
            return submit_order(order)
        if isinstance(ticket.answer, Exception):
            raise ticket.answer
        return ticket.answer

    def lead(self) -> None:
        """Have all who wait accepted, this one among them, and call the next one to lead."""
        with self.lock:
            together, self.waiting = parted(self.waiting)
        try:
            for ticket, answer in zip(together, answers_for(together), strict=True):
                ticket.answer = answer
        finally:
            with self.lock:
                self.is_led = bool(self.waiting)
                if self.waiting:
                    self.waiting[0].call_to_lead()
            for ticket in together:
                ticket.serve()


def parted(waiting: Sequence[Ticket]) -> tuple[list[Ticket], list[Ticket]]:
    """Choose who goes together; of those with one user's one key, only the first."""
    together: list[Ticket] = []
    later: list[Ticket] = []
    for ticket in waiting:
        once = ticket.order.only_once
        is_twin = once is not None and once in {one.order.only_once for one in together}
        (later if is_twin or len(together) == TOGETHER_AT_MOST else together).append(ticket)
    return together, later


def answers_for(together: Sequence[Ticket]) -> Sequence[Answer]:
    """Accept orders in one transaction; None tells an order to go alone."""
    try:
        with shared.lent(), telling_lock_timeouts():
            return submit_predictions([one.order for one in together], lock_ms=WAIT_TOGETHER_MS)
    except (LockTimeout, DataError, IntegrityError):
        # The database said no to all of them: nothing was written, and each hears its own.
        return [None] * len(together)
    except Exception as error:
        return [copy(error) for _ in together]


desk, shared = Desk(), SharedConnection()
