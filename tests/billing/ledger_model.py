"""What the books should say, in plain arithmetic: no database, no order of locks, no SQL.

Each step raises Refused with the name of the refusal that the service must give, and changes
nothing then.
"""

from dataclasses import dataclass, field
from typing import Any


class Refused(Exception):
    """The service must refuse with the error of this name."""


def refuse_if(wrong: object, refusal: str) -> None:
    if wrong:
        raise Refused(refusal)


@dataclass(eq=False)
class Purse:
    user_id: int
    id: int = 0
    balance: int = 0
    spent: int = 0
    cap: int | None = None
    holds: "list[Hold]" = field(default_factory=list)
    top_ups: "list[TopUp]" = field(default_factory=list)
    made: dict[tuple[str, str], tuple[str, Any]] = field(default_factory=dict)

    @property
    def held(self) -> int:
        return sum(hold.amount for hold in self.holds if hold.status == "held")

    @property
    def shortfall(self) -> int:
        return sum(top_up.shortfall for top_up in self.top_ups)

    @property
    def available(self) -> int:
        return self.balance - self.held

    def found(self, kind: str, key: str | None, fingerprint: str) -> Any:
        """Give what an earlier request with this key made, None when there was none."""
        earlier, thing = self.made.get((kind, key or ""), (fingerprint, None))
        refuse_if(earlier != fingerprint, "IdempotencyMismatch")
        return thing

    def remember(self, kind: str, key: str | None, fingerprint: str, thing: Any) -> None:
        if key:
            self.made[kind, key] = (fingerprint, thing)

    def check_pending(self, most: int) -> None:
        pending = [top_up for top_up in self.top_ups if top_up.status == "pending"]
        refuse_if(len(pending) >= most, "TooManyPendingTopUps")

    def place(self, amount: int) -> "Hold":
        refuse_if(self.shortfall, "WalletFrozen")
        refuse_if(amount > self.available, "InsufficientCredits")
        committed = self.held + self.spent
        refuse_if(self.cap is not None and committed + amount > self.cap, "SpendingCapReached")
        self.holds.append(Hold(self, amount))
        return self.holds[-1]

    def check_change(self, amount: int) -> None:
        refuse_if(self.available + amount < 0, "BalanceTooLow")

    def change(self, amount: int) -> None:
        self.balance += amount
        self.cover()

    def cover(self) -> None:
        """Take what is owed of reversed payments as far as it is there, the oldest first."""
        for top_up in sorted(self.top_ups, key=lambda top_up: top_up.id):
            taken = min(self.available, top_up.shortfall)
            top_up.shortfall -= taken
            self.balance -= taken


@dataclass(eq=False)
class Hold:
    purse: Purse
    amount: int
    id: int = 0
    status: str = "held"
    captured: int = 0
    refunded: int = 0

    def resolve(self, captured: int) -> None:
        if self.status == "held":
            self.status = "captured" if captured else "released"
            self.captured = captured
            self.purse.balance -= captured
            self.purse.spent += captured

    def check_refund(self, amount: int) -> None:
        refuse_if(self.refunded, "AlreadyApplied")
        refuse_if(amount > self.captured, "RefundTooLarge")

    def refund(self, amount: int) -> None:
        self.refunded = amount
        self.purse.change(amount)


@dataclass(eq=False)
class TopUp:
    purse: Purse
    amount: int
    cents: int
    id: Any = None
    status: str = "pending"
    is_by_provider: bool = False
    reversals: dict[str, tuple[int, bool]] = field(default_factory=dict)
    reversed: int = 0
    shortfall: int = 0

    def pay(self, *, by_provider: bool) -> None:
        is_open = self.status == "pending" or (by_provider and self.status != "paid")
        refuse_if(not is_open, "TopUpAlreadyResolved")
        self.status, self.is_by_provider = "paid", by_provider
        self.purse.balance += self.amount
        self.follow_reversals()
        self.purse.cover()

    def close(self, status: str) -> None:
        refuse_if(self.status != "pending", "TopUpAlreadyResolved")
        self.status = status

    def reverse(self, name: str, cents: int, *, is_active: bool) -> None:
        known = self.reversals.get(name)
        self.reversals[name] = (known[0], known[1] and is_active) if known else (cents, is_active)
        if self.is_by_provider:
            self.follow_reversals()
            self.purse.cover()

    def follow_reversals(self) -> None:
        cents = sum(cents for cents, is_active in self.reversals.values() if is_active)
        wanted = self.amount * min(cents, self.cents) // max(self.cents, 1)
        wanted = wanted if self.is_by_provider else 0
        back, self.reversed = self.reversed - wanted, wanted
        forgiven = min(back, self.shortfall)
        self.shortfall -= forgiven
        self.purse.balance += back - forgiven


@dataclass(eq=False)
class Work:
    hold: Hold
    price: int
    id: Any = None
    status: str = "starting"
    attempt: int = 0
    is_canceling: bool = False

    def claim(self) -> bool:
        is_free = self.status == "starting"
        if is_free:
            self.status, self.attempt = "processing", self.attempt + 1
        return is_free

    def settle(self, attempt: int, status: str, cost: int) -> bool:
        is_current = (self.status, self.attempt) == ("processing", attempt)
        if is_current:
            self.end(status, cost)
        return is_current

    def end(self, status: str, cost: int = 0) -> None:
        self.status, cost = ("canceled", 0) if self.is_canceling else (status, cost)
        self.hold.resolve(cost)

    def cancel(self) -> None:
        refuse_if(self.status in {"succeeded", "failed"}, "AlreadyFinished")
        self.is_canceling = True
        if self.status == "starting":
            self.end("canceled")

    def lose_its_worker(self, most_attempts: int) -> None:
        if self.status == "processing" and (self.is_canceling or self.attempt >= most_attempts):
            self.end("failed")
        elif self.status == "processing":
            self.status = "starting"

    def expire(self) -> None:
        if self.status == "starting":
            self.end("failed")


@dataclass(eq=False)
class Adjustment:
    """A grant or a correction of a purse, or the refund of a hold."""

    kind: str
    purse: Purse
    amount: int
    hold: Hold | None = None
    id: Any = None
    by: int = 0
    status: str = "new"

    def ask(self, *, most_alone: int) -> None:
        self.check()
        if abs(self.amount) <= most_alone:
            self.carry_out()
        else:
            refuse_if(self.status != "new", "AlreadyApplied")
            self.status = "pending"

    def approve(self, *, by_who_asked: bool) -> None:
        refuse_if(self.status != "pending", "AlreadyApplied")
        refuse_if(by_who_asked, "SecondOperatorNeeded")
        self.check()
        self.carry_out()

    def reject(self) -> None:
        refuse_if(self.status != "pending", "AlreadyApplied")
        self.status = "rejected"

    def check(self) -> None:
        if self.hold:
            self.hold.check_refund(self.amount)
        else:
            refuse_if(self.status == "approved", "AlreadyApplied")
            self.purse.check_change(self.amount)

    def carry_out(self) -> None:
        self.status = "approved"
        if self.hold:
            self.hold.refund(self.amount)
        else:
            self.purse.change(self.amount)
