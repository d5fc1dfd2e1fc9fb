"""What tests of the books have in common: moving money in one line, and reading what is written."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from accounts.models import User
from billing.models import Hold, LedgerEntry, TopUp
from billing.services import (
    Resolution,
    pay_top_up,
    place_hold,
    record_reversal,
    resolve_holds,
    wallet_of,
)
from billing.top_ups import start_top_up
from mlservice.lib.errors import DomainError
from mlservice.lib.ids import new_id
from tests.conftest import make_user

ID = UUID("0197b7a2-5f0e-7c3a-9d7e-2f4b8a1c6e55")


def last_entry(user: User) -> dict[str, Any]:
    return dict(
        LedgerEntry.objects.filter(wallet__user=user)
        .values(
            *("kind", "amount", "balance_after", "actor_id", "reason"),
            *("reference_type", "reference_id"),
        )
        .latest("id")
    )


def written(kind: str, amount: int, balance_after: int, **fields: Any) -> dict[str, Any]:
    entry = {"kind": kind, "amount": amount, "balance_after": balance_after}
    return {**entry, "actor_id": None, "reason": "", **fields}


def about(type: str, id: object) -> dict[str, str]:
    return {"reference_type": type, "reference_id": str(id)}


def wallet_id(user: User) -> int:
    return wallet_of(user.pk).pk


def charge(user: User, amount: int = 100) -> Hold:
    hold = place_hold(wallet=wallet_of(user.pk), amount=amount, reference=("prediction", "p-1"))
    resolve_holds([Resolution(hold.pk, amount)])
    return hold


def pending(user: User, amount: int = 50) -> TopUp:
    return start_top_up(wallet=wallet_of(user.pk), amount=amount, provider="manual")


def reverse(cents: int, *, is_active: bool = True, external_id: str = "re_1") -> TopUp | None:
    return record_reversal(
        provider="manual",
        payment_id="pay_1",
        external_id=external_id,
        cents=cents,
        is_active=is_active,
    )


def refused(act: Callable[[], object]) -> tuple[type[DomainError], str, dict[str, Any]]:
    with pytest.raises(DomainError) as refusal:
        act()
    return refusal.type, str(refusal.value.detail), refusal.value.extra


def adjust(act: Callable[..., object], user: User, staff: User, amount: int, **fields: Any) -> Any:
    wanted = {"reason": "As agreed", "adjustment_id": new_id(), **fields}
    return act(wallet_id=wallet_id(user), amount=amount, actor_id=staff.pk, **wanted)


def owing(name: str, credits: int, payment_id: str) -> User:
    """Make a user whose wallet owes so much of a reversed payment."""
    user = make_user(name)
    pay_top_up(top_up_id=pending(user, credits).pk, payment_id=payment_id)
    charge_all = place_hold(
        wallet=wallet_of(user.pk), amount=credits, reference=("prediction", name)
    )
    resolve_holds([Resolution(charge_all.pk, credits)])
    record_reversal(
        provider="manual",
        payment_id=payment_id,
        external_id=f"re_{name}",
        cents=credits,
        is_active=True,
    )
    return user
