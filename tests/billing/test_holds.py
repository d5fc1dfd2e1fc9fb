"""A hold reserves credits and resolves once."""

import pytest
from django.db import IntegrityError, transaction

from accounts.models import User
from billing.errors import InsufficientCredits
from billing.models import Hold, LedgerEntry, Wallet
from billing.services import (
    Resolution,
    lock_wallet,
    lock_wallets,
    place_hold,
    resolve_holds,
    wallet_of,
)


def hold(user: User, amount: int, name: str = "work") -> Hold:
    with transaction.atomic():
        wallet = lock_wallet(wallet_id=wallet_of(user.pk).pk)
        return place_hold(wallet=wallet, amount=amount, reference=("test", name))


def resolve(*resolutions: Resolution) -> None:
    with transaction.atomic():
        held = Hold.objects.filter(pk__in=[one.hold_id for one in resolutions])
        names = held.values_list("reference_id", flat=True)
        lock_wallets(reference_type="test", reference_ids=names)
        resolve_holds(resolutions)


def figures(user: User) -> tuple[int, int, int]:
    wallet = Wallet.objects.get(user=user)
    return wallet.balance, wallet.held, wallet.available


def test_a_hold_reserves_without_changing_the_balance(alice: User) -> None:
    hold(alice, 300)

    assert figures(alice) == (1_000, 300, 700)
    assert LedgerEntry.objects.filter(wallet__user=alice).count() == 1


def test_a_hold_of_all_there_is_is_allowed(alice: User) -> None:
    hold(alice, 1_000)

    assert figures(alice) == (1_000, 1_000, 0)


def test_a_hold_larger_than_what_is_available_is_refused(alice: User) -> None:
    hold(alice, 300)

    with pytest.raises(InsufficientCredits) as refusal:
        hold(alice, 701, "more")

    assert refusal.value.extra == {"required": 701, "available": 700}
    assert figures(alice) == (1_000, 300, 700)


def test_a_capture_charges_once_and_releases_the_rest(alice: User) -> None:
    placed = hold(alice, 300)

    resolve(Resolution(placed.pk, captured=120))

    assert figures(alice) == (880, 0, 880)
    entry = LedgerEntry.objects.filter(wallet__user=alice).latest("pk")
    assert (entry.kind, entry.amount, entry.balance_after) == ("capture", -120, 880)
    assert entry.reference == {"type": "test", "id": "work"}


def test_a_release_gives_everything_back_and_writes_no_entry(alice: User) -> None:
    placed = hold(alice, 300)

    resolve(Resolution(placed.pk, captured=0))

    assert figures(alice) == (1_000, 0, 1_000)
    assert LedgerEntry.objects.filter(wallet__user=alice).count() == 1


def test_a_hold_that_is_resolved_stays_as_it_is(alice: User) -> None:
    placed = hold(alice, 300)
    resolve(Resolution(placed.pk, captured=120))

    resolve(Resolution(placed.pk, captured=120))
    resolve(Resolution(placed.pk, captured=0))

    assert figures(alice) == (880, 0, 880)


def test_many_holds_of_many_wallets_resolve_in_one_statement(alice: User, bob: User) -> None:
    first, second, third = hold(alice, 10, "1"), hold(bob, 20, "2"), hold(alice, 30, "3")

    resolve(Resolution(third.pk, 30), Resolution(first.pk, 10), Resolution(second.pk, 0))

    assert figures(alice) == (960, 0, 960)
    assert figures(bob) == (1_000, 0, 1_000)
    after = LedgerEntry.objects.filter(wallet__user=alice, kind="capture").order_by("pk")
    assert list(after.values_list("amount", "balance_after")) == [(-10, 990), (-30, 960)]


def test_a_capture_beyond_its_hold_is_refused_by_the_database(alice: User) -> None:
    placed = hold(alice, 300)

    with pytest.raises(IntegrityError, match="hold_captures_within_amount"):
        resolve(Resolution(placed.pk, captured=301))


@pytest.mark.parametrize(("balance", "held"), [(-1, 0), (10, 11), (10, -1)])
def test_a_wallet_out_of_bounds_is_refused_by_the_database(
    alice: User, balance: int, held: int
) -> None:
    with pytest.raises(IntegrityError, match="wallet_held_within_balance"):
        Wallet.objects.filter(user=alice).update(balance=balance, held=held)
