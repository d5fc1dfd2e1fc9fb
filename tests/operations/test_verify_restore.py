"""What a restored service is asked: each thing that must hold is broken once, and is told."""

import re
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from psycopg2 import sql

from accounts.models import User
from billing.models import Hold
from ml_models.artifacts import stored_path
from ml_models.models import MLModel, ModelVersion
from ml_models.services import break_version
from mlservice import restoring
from mlservice.audit import run_checks
from mlservice.management.commands.prepare_database import GRANTS
from mlservice.restoring import CHECKS, TRIGGERS, verify
from predictions import runner
from predictions.models import Prediction
from predictions.services import cancel_prediction
from tests.conftest import make_prediction

ROLE = "an_application_under_test"


@pytest.fixture
def restored(alice: User, published_version: ModelVersion) -> None:
    """A service with something in every table of the books, as its application's role sees it."""
    runner.run([make_prediction(alice).pk])
    cancel_prediction(prediction=make_prediction(alice))
    make_prediction(alice)
    as_owner(f"CREATE ROLE {ROLE}")
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL(GRANTS).format(role=sql.Identifier(ROLE)))
        cursor.execute(f"SET LOCAL ROLE {ROLE}")


def as_owner(*statements: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        role = cursor.fetchone()[0]
        cursor.execute("RESET ROLE")
        # What is to be altered has nothing left to check at the end of the transaction.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for statement in statements:
            cursor.execute(statement)
        if role == ROLE:
            cursor.execute(f"SET LOCAL ROLE {ROLE}")


def troubles() -> dict[str, list[str]]:
    """Give what each check found, where it found anything."""
    found = {name: [trouble.what for trouble in found] for name, found in verify()}
    return {name: what for name, what in found.items() if what}


def test_a_whole_service_has_no_trouble(restored: None) -> None:
    out = StringIO()

    call_command("verify_restore", stdout=out)

    assert troubles() == {}
    said = out.getvalue()
    assert said.count("ok  ") == len(CHECKS)
    assert "predictions succeeded: 1" in said
    assert said.endswith("The restored service can be trusted.\n")


def test_the_command_says_what_to_do_and_fails(restored: None) -> None:
    as_owner(f"GRANT UPDATE ON billing_ledgerentry TO {ROLE}")
    out, err = StringIO(), StringIO()

    with pytest.raises(SystemExit) as ended:
        call_command("verify_restore", stdout=out, stderr=err)

    assert ended.value.code == 1
    assert "The role may UPDATE on billing_ledgerentry." in out.getvalue()
    assert "prepare_database" in out.getvalue()
    assert "can be trusted" not in out.getvalue()
    assert "Do not let anybody in" in err.getvalue()


SPOILT = {
    "a ledger that may be emptied": (
        f"GRANT DELETE, TRUNCATE ON billing_ledgerentry TO {ROLE}",
        "rights of the application's role",
        "The role may DELETE, TRUNCATE on billing_ledgerentry.",
    ),
    "a table that cannot be written": (
        f"REVOKE INSERT ON billing_hold FROM {ROLE}",
        "rights of the application's role",
        "The role may not INSERT on billing_hold.",
    ),
    "a history of migrations that the application may change": (
        f"GRANT DELETE ON django_migrations TO {ROLE}",
        "rights of the application's role",
        "The role may DELETE on django_migrations.",
    ),
    "a missing trigger": (
        "DROP TRIGGER model_card_is_immutable ON ml_models_card",
        "triggers, constraints and indexes",
        "The trigger model_card_is_immutable of ml_models_card is missing or off.",
    ),
    "a trigger that is off": (
        "ALTER TABLE ml_models_modelversion DISABLE TRIGGER model_version_is_immutable",
        "triggers, constraints and indexes",
        "The trigger model_version_is_immutable of ml_models_modelversion is missing or off.",
    ),
    "a missing check": (
        "ALTER TABLE billing_wallet DROP CONSTRAINT wallet_held_within_balance",
        "triggers, constraints and indexes",
        "billing_wallet lacks wallet_held_within_balance.",
    ),
    "a key that may come twice": (
        "DROP INDEX prediction_once_for_its_key",
        "triggers, constraints and indexes",
        "predictions_prediction lacks prediction_once_for_its_key.",
    ),
    "a check that was never made": (
        "ALTER TABLE billing_wallet ADD CONSTRAINT late CHECK (balance >= 0) NOT VALID",
        "triggers, constraints and indexes",
        "late is there, and not valid.",
    ),
    "a sequence left behind": (
        "SELECT setval('billing_ledgerentry_id_seq', 1)",
        "sequences",
        "public.billing_ledgerentry_id_seq is at 1, and billing_ledgerentry has",
    ),
    "a sequence that gives its last number again": (
        "SELECT setval('billing_hold_id_seq', max(id), false) FROM billing_hold",
        "sequences",
        "public.billing_hold_id_seq is at",
    ),
    "a migration not applied": (
        "DELETE FROM django_migrations WHERE app = 'predictions' AND name LIKE '0010%'",
        "migrations",
        "predictions.0010_usage is not applied.",
    ),
    "a migration of a later release": (
        "INSERT INTO django_migrations (app, name, applied) VALUES ('billing', '9999_x', now())",
        "migrations",
        "billing.9999_x is applied, and this release does not know it.",
    ),
}


@pytest.mark.parametrize("how", SPOILT)
def test_what_was_spoilt_is_told(restored: None, how: str) -> None:
    statement, check, said = SPOILT[how]

    as_owner(statement)

    found = troubles()
    assert list(found) == [check]
    assert [what for what in found[check] if what.startswith(said)] == found[check] != []


def test_a_ledger_that_lost_its_trigger_is_told_twice(restored: None) -> None:
    as_owner("DROP TRIGGER ledger_entry_insert_only ON billing_ledgerentry")

    assert troubles() == {
        "triggers, constraints and indexes": [
            "The trigger ledger_entry_insert_only of billing_ledgerentry is missing or off."
        ],
        "books": ["1 rows break I7 the ledger is insert only."],
    }


def test_a_lost_foreign_key_is_told(restored: None) -> None:
    with connection.cursor() as cursor:
        there = connection.introspection.get_constraints(cursor, "billing_hold")
    (name,) = [name for name, one in there.items() if one["foreign_key"]]

    as_owner(f"ALTER TABLE billing_hold DROP CONSTRAINT {name}")

    assert troubles() == {
        "triggers, constraints and indexes": ["billing_hold lacks a foreign key on wallet_id."]
    }


PLAIN_INDEXES = """
    SELECT indrelid::regclass::text, index.relname,
           (SELECT string_agg(attname, ', ' ORDER BY attnum) FROM pg_attribute
            WHERE attrelid = index.oid)
    FROM pg_index JOIN pg_class AS index ON index.oid = indexrelid
    WHERE index.relnamespace = 'public'::regnamespace
      AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = index.oid)
      -- Beside an index of the same column, for what begins so.
      AND index.relname NOT LIKE '%\\_like'"""


def test_every_index_that_is_lost_is_told(restored: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(PLAIN_INDEXES)
        there = cursor.fetchall()
    named = {
        one.name
        for model in apps.get_models(include_auto_created=True)
        for one in (*model._meta.constraints, *model._meta.indexes)
    }

    as_owner(*(f'DROP INDEX "{name}"' for _, name, _ in there))

    assert len(there) > 40
    assert sorted(troubles()["triggers, constraints and indexes"]) == sorted(
        f"{table} lacks {name if name in named else f'an index on {columns}'}."
        for table, name, columns in there
    )


def test_a_changed_entry_is_told(restored: None) -> None:
    """Who restores by hand may have had the trigger off."""
    as_owner(
        "ALTER TABLE billing_ledgerentry DISABLE TRIGGER ledger_entry_insert_only",
        "UPDATE billing_ledgerentry SET amount = amount + 1 WHERE kind = 'top_up'",
        "ALTER TABLE billing_ledgerentry ENABLE TRIGGER ledger_entry_insert_only",
    )

    found = troubles()

    assert list(found) == ["books"]
    assert any("balance is the sum of entries" in what for what in found["books"])


def test_a_role_without_any_rights_is_told_and_not_a_traceback(restored: None) -> None:
    as_owner(f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {ROLE}")

    rights = [trouble.what for trouble in restoring.of_rights()]

    assert "The role may not INSERT, SELECT on billing_ledgerentry." in rights
    assert "The role may not DELETE, INSERT, SELECT, UPDATE on accounts_user." in rights


@pytest.mark.django_db(transaction=True)
def test_what_the_database_refuses_to_tell_is_a_trouble() -> None:
    def refused() -> Iterator[restoring.Trouble]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM nothing_of_this_name")
        yield from ()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(restoring, "CHECKS", {"first": refused, "second": lambda: iter(())})
        found = dict(verify())

    assert "nothing_of_this_name" in found["first"][0].what
    assert found["second"] == []


@pytest.fixture
def other_store(settings: Any, tmp_path: Path, published_version: ModelVersion) -> Path:
    """A model store with a copy of the artifact, which may be spoilt."""
    content = stored_path(published_version.artifact_md5).read_bytes()
    settings.MODEL_STORE_DIR = tmp_path
    there = stored_path(published_version.artifact_md5)
    there.parent.mkdir(parents=True)
    there.write_bytes(content)
    return there


def test_a_lost_artifact_is_told(restored: None, other_store: Path) -> None:
    before = troubles()
    other_store.unlink()

    found = troubles()

    assert before == {}
    assert list(found) == ["artifacts"]
    assert "The local store has no" in found["artifacts"][0]


def test_a_changed_artifact_is_told(restored: None, other_store: Path) -> None:
    content = bytearray(other_store.read_bytes())
    content[100] ^= 1
    other_store.write_bytes(content)

    found = troubles()

    assert list(found) == ["artifacts"]
    assert "their digest differs" in found["artifacts"][0]


def test_an_artifact_of_a_retired_version_is_missed_only_while_work_waits_for_it(
    restored: None, other_store: Path, published_version: ModelVersion
) -> None:
    ModelVersion.objects.filter(pk=published_version.pk).update(status="retired")
    other_store.unlink()

    with_work = troubles()
    for waiting in Prediction.objects.filter(completed_at=None):
        cancel_prediction(prediction=waiting)
    without = troubles()

    assert list(with_work) == ["artifacts"]
    assert without == {}


def test_a_broken_version_that_is_to_serve_is_told(
    restored: None, published_version: ModelVersion
) -> None:
    break_version(version_id=published_version.pk, reason="its bytes are gone")
    out = StringIO()

    found = troubles()
    with pytest.raises(SystemExit):
        call_command("verify_restore", stdout=out, stderr=StringIO())

    assert found == {
        "artifacts": ["Linear Regression 1 is to serve, and is broken: its bytes are gone"]
    }
    assert "Check again" in out.getvalue()


def test_a_broken_version_that_no_model_names_is_no_trouble(
    restored: None, published_version: ModelVersion
) -> None:
    MLModel.objects.filter(pk=published_version.model_id).update(stable=None)
    break_version(version_id=published_version.pk, reason="its bytes are gone")
    out = StringIO()

    call_command("verify_restore", stdout=out)

    assert "versions that serve: 0\n" in out.getvalue()


def test_the_books_are_audited_once(restored: None, monkeypatch: pytest.MonkeyPatch) -> None:
    audits: list[dict[str, int]] = []

    def audited() -> dict[str, int]:
        audits.append(run_checks())
        return audits[-1]

    monkeypatch.setattr(restoring, "run_checks", audited)

    call_command("verify_restore", stdout=StringIO())

    assert len(audits) == 1


def test_work_that_is_past_its_time_only_waits_for_the_relay(restored: None) -> None:
    """A backup of the day before yesterday: nothing is wrong with it."""
    long_ago = timezone.now() - timedelta(days=3)
    Hold.objects.filter(status="held").update(created_at=long_ago)
    Prediction.objects.filter(status="starting").update(created_at=long_ago)
    out = StringIO()

    call_command("verify_restore", stdout=out)

    assert "The relay will end 1 predictions that are past their time." in out.getvalue()


def test_every_trigger_that_a_migration_makes_is_looked_for() -> None:
    migrations = Path(settings.BASE_DIR).glob("*/migrations/0*.py")
    pattern = re.compile(r"CREATE TRIGGER (\w+)[^;]*? ON (\w+)")

    made = dict(found for path in migrations for found in pattern.findall(path.read_text()))

    assert made == TRIGGERS
