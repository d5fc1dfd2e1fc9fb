"""The database itself keeps the ledger as it was written."""

import pytest
from django.db import IntegrityError, InternalError, ProgrammingError, connection
from django.db.models import ProtectedError

from accounts.models import User
from billing.models import LedgerEntry
from mlservice.management.commands.prepare_database import grant

ROLE = "ledger_guard_test_role"


def test_an_entry_cannot_be_updated(alice: User) -> None:
    with pytest.raises(InternalError, match="never changed"):
        LedgerEntry.objects.filter(wallet__user=alice).update(amount=5)


def test_an_entry_cannot_be_deleted(alice: User) -> None:
    with pytest.raises(InternalError, match="never changed"):
        LedgerEntry.objects.filter(wallet__user=alice).delete()


def test_a_user_with_a_wallet_cannot_be_deleted(alice: User) -> None:
    with pytest.raises(ProtectedError):
        alice.delete()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE billing_ledgerentry SET amount = amount + 1",
        "DELETE FROM billing_ledgerentry",
        "TRUNCATE billing_ledgerentry",
        "ALTER TABLE billing_ledgerentry DISABLE TRIGGER ledger_entry_insert_only",
        "DELETE FROM django_migrations",
    ],
)
def test_the_applications_own_role_may_not(alice: User, statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {ROLE}")
        grant(ROLE, using="default")
        cursor.execute(f"SET LOCAL ROLE {ROLE}")

        with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"):
            cursor.execute(statement)


@pytest.mark.parametrize(
    "change",
    ["balance = -1", "held = -1", "balance = held - 1", "held = balance + 1", "shortfall = -1"],
)
def test_the_applications_own_role_may_not_break_a_balance(alice: User, change: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {ROLE}")
        grant(ROLE, using="default")
        cursor.execute(f"SET LOCAL ROLE {ROLE}")

        with pytest.raises(IntegrityError, match="wallet_"):
            cursor.execute(f"UPDATE billing_wallet SET {change}")


def test_the_applications_own_role_may_add_to_the_ledger(alice: User) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {ROLE}")
        grant(ROLE, using="default")
        cursor.execute(f"SET LOCAL ROLE {ROLE}")

        entry = LedgerEntry.objects.create(
            wallet=alice.wallet,
            kind="grant",
            amount=1,
            balance_after=1_001,
            reference_type="test",
            reference_id="1",
        )

        assert entry.pk
        cursor.execute("RESET ROLE")
