"""Whether a restored service can be trusted: the only place that asks all that must hold."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import AutoField, Field, Model, Q

from ml_models.golden import replay
from ml_models.models import MLModel, ModelVersion
from mlservice.audit import run_checks
from mlservice.lib.errors import DomainError
from predictions.models import Prediction
from predictions.selectors import starting_longer_than

GRANT = "Run `manage.py prepare_database` with MIGRATION_DATABASE_URL set."
RESTORE = "The restore is not whole: look at what pg_restore said, and restore into a new database."
# What the database does by itself; no model knows of it.
TRIGGERS = {
    "ledger_entry_insert_only": "billing_ledgerentry",
    "model_card_is_immutable": "ml_models_card",
    "model_version_is_immutable": "ml_models_modelversion",
}
LEDGER = "billing_ledgerentry"
ALL = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"})
# What a role may do less than ALL; TRUNCATE it may nowhere.
LESS = {LEDGER: frozenset({"SELECT", "INSERT"}), "django_migrations": frozenset({"SELECT"})}
# A backup is older than now: what waited in it may be past its time, until the relay has run.
TOLD_BY_THE_CLOCK = {
    "I6_no_hold_outlives_its_prediction",
    "I10_nothing_waits_unpublished_while_workers_are_free",
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """What does not hold, and what to do about it."""

    what: str
    remedy: str


def verify() -> Iterator[tuple[str, list[Trouble]]]:
    """Yield each check's name with its troubles; what cannot be asked is one."""
    for name, check in CHECKS.items():
        try:
            found = list(check())
        except Error as refusal:
            said = str(refusal).partition("\n")[0]
            found = [Trouble(f"The database does not tell: {said}.", f"{GRANT} {RESTORE}")]
        yield name, found


def of_migrations() -> Iterator[Trouble]:
    executor = MigrationExecutor(connection)
    loader = executor.loader
    for migration, _ in executor.migration_plan(loader.graph.leaf_nodes()):
        yield Trouble(f"{migration} is not applied.", GRANT)
    for app, name in sorted(loader.applied_migrations.keys() - loader.disk_migrations.keys()):
        newer = "Install the release that the backup was made with, or a newer one."
        yield Trouble(f"{app}.{name} is applied, and this release does not know it.", newer)


def of_guards() -> Iterator[Trouble]:
    """Look for every trigger, constraint and index that keeps the rows right."""
    working = {name for (name,) in _ask(WORKING_TRIGGERS)}
    for name in sorted(TRIGGERS.keys() - working):
        yield Trouble(f"The trigger {name} of {TRIGGERS[name]} is missing or off.", RESTORE)
    for (name,) in _ask(INVALID):
        yield Trouble(f"{name} is there, and not valid.", RESTORE)
    for model in _stored():
        for missing in _missing_guards(model):
            yield Trouble(f"{model._meta.db_table} lacks {missing}.", RESTORE)


WORKING_TRIGGERS = """SELECT tgname FROM pg_trigger
                      WHERE NOT tgisinternal AND tgenabled IN ('O', 'A')"""
INVALID = """SELECT indexrelid::regclass::text FROM pg_index
             WHERE NOT indisvalid AND indrelid IN (SELECT oid FROM pg_class
                                                   WHERE relnamespace = 'public'::regnamespace)
             UNION ALL SELECT conname FROM pg_constraint
             WHERE NOT convalidated AND connamespace = 'public'::regnamespace"""


def of_rights() -> Iterator[Trouble]:
    """Compare what this role may do with what the application's role is to: no more, no less."""
    granted: dict[str, set[str]] = {}
    for table, right in _ask(RIGHTS):
        granted.setdefault(table, set()).add(right)
    for table in ("django_migrations", *(model._meta.db_table for model in _stored())):
        due, has = LESS.get(table, ALL), granted.get(table, set())
        if missing := due - has:
            yield Trouble(f"The role may not {_listed(missing)} on {table}.", GRANT)
        if excess := has - due:
            yield Trouble(f"The role may {_listed(excess)} on {table}.", OWN_ROLE)


RIGHTS = """SELECT relname, may FROM pg_class,
                   unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) AS may
            WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace
              AND has_table_privilege(pg_class.oid, may)"""
OWN_ROLE = f"Let DATABASE_URL name a role that owns no table and is no superuser. {GRANT}"


def of_sequences() -> Iterator[Trouble]:
    """Look for sequences that would give out a number which a row has already."""
    quote = connection.ops.quote_name
    for model in _stored():
        key, table = model._meta.pk, model._meta.db_table
        column = str(key.column)
        if not isinstance(key, AutoField):
            continue
        ((sequence,),) = _ask(SEQUENCE, [quote(table), column])
        if sequence is None:
            yield Trouble(f"{table}.{column} has no sequence.", RESTORE)
            continue
        newest = f"(SELECT coalesce(max({quote(column)}), 0) FROM {quote(table)})"  # noqa: S608
        given = "last_value - (NOT is_called)::int"
        ((highest, last),) = _ask(f"SELECT {newest}, {given} FROM {sequence}")  # noqa: S608
        if last < highest:
            mend = f"As the owner: SELECT setval('{sequence}', {highest});"
            yield Trouble(f"{sequence} is at {last}, and {table} has {highest} already.", mend)


SEQUENCE = "SELECT pg_get_serial_sequence(%s, %s)"


def of_books() -> Iterator[Trouble]:
    for rule, count in run_checks().items():
        if count and rule not in TOLD_BY_THE_CLOCK:
            yield Trouble(
                f"{count} rows break {rule.replace('_', ' ')}.",
                "Take no traffic. Restore another backup, or find who changed rows by hand.",
            )


def of_artifacts() -> Iterator[Trouble]:
    """Load each artifact that serves or has work waiting, and replay its golden rows."""
    broken = MLModel.objects.filter(stable__status=ModelVersion.Status.BROKEN)
    for model in broken.select_related("stable__model").order_by("pk"):
        reason = model.stable.broken_reason if model.stable else ""
        yield Trouble(f"{model.stable} is to serve, and is broken: {reason}", CHECK_AGAIN)
    waiting = Prediction.objects.filter(completed_at=None).values("version")
    needed = Q(status=ModelVersion.Status.PUBLISHED) | Q(pk__in=waiting)
    for version in ModelVersion.objects.filter(needed).select_related("model").order_by("pk"):
        try:
            replay(version)
        except DomainError as refusal:
            yield Trouble(f"{version}: {refusal.detail}", ARTIFACTS)


ARTIFACTS = "Put the artifacts back into MODEL_STORE_DIR or the bucket, under the same names."
CHECK_AGAIN = (
    "Have the admin check the version again (model versions, action “Check again”); where that is"
    " refused, bring its artifact back first, or `roll_back_model`."
)

CHECKS: dict[str, Callable[[], Iterator[Trouble]]] = {
    "migrations": of_migrations,
    "triggers, constraints and indexes": of_guards,
    "rights of the application's role": of_rights,
    "sequences": of_sequences,
    "books": of_books,
    "artifacts": of_artifacts,
}


def waiting_past_its_time() -> int:
    """Count what the relay will end, free of charge, as soon as it runs."""
    return starting_longer_than(settings.PREDICTION_MAX_AGE_SECONDS).count()


def facts() -> Iterator[tuple[str, Any]]:
    """Yield what there is, for whoever knows what there should be."""
    for name, question in FACTS.items():
        yield name, _ask(question)[0][0]
    by_status = "SELECT status, count(*) FROM predictions_prediction GROUP BY 1 ORDER BY 1"
    for status, count in _ask(by_status):
        yield f"predictions {status}", count


FACTS = {
    "users": "SELECT count(*) FROM accounts_user",
    "credits in wallets": "SELECT coalesce(sum(balance), 0) FROM billing_wallet",
    "ledger entries": "SELECT count(*) FROM billing_ledgerentry",
    "newest ledger entry": "SELECT max(created_at) FROM billing_ledgerentry",
    "newest prediction": "SELECT max(created_at) FROM predictions_prediction",
    "versions that serve": "SELECT count(*) FROM ml_models_modelversion WHERE status = 'published'",
}


def _stored() -> list[type[Model]]:
    return [model for model in apps.get_models(include_auto_created=True) if model._meta.managed]


def _missing_guards(model: type[Model]) -> Iterator[str]:
    with connection.cursor() as cursor:
        there: Any = connection.introspection.get_constraints(cursor, model._meta.db_table)
    named = [one.name for one in (*model._meta.constraints, *model._meta.indexes)]
    for name in named:
        if name not in there:
            yield name
    # What has a name of its own may be for some of the rows alone, and Django's companions of
    # indexes of texts are for LIKE alone.
    others = [
        one for name, one in there.items() if name not in named and not name.endswith("_like")
    ]
    for kind, columns in _unnamed_guards(model):
        if not any(one[kind] and one["columns"] == columns for one in others):
            yield f"{GUARDS[kind]} on {', '.join(columns)}"


GUARDS = {
    "primary_key": "a primary key",
    "unique": "a unique index",
    "index": "an index",
    "foreign_key": "a foreign key",
}


def _unnamed_guards(model: type[Model]) -> Iterator[tuple[str, list[str]]]:
    for together in model._meta.unique_together:
        fields: list[Any] = [model._meta.get_field(name) for name in together]
        yield "unique", [field.column for field in fields]
    for field in model._meta.local_fields:
        for kind in _guards_of(field):
            yield kind, [str(field.column)]


def _guards_of(field: "Field[Any, Any]") -> Iterator[str]:
    if field.primary_key:
        yield "primary_key"
    elif field.unique:
        yield "unique"
    elif getattr(field, "db_index", False):
        yield "index"
    if field.remote_field and getattr(field, "db_constraint", False):
        yield "foreign_key"


def _listed(words: set[str] | frozenset[str]) -> str:
    return ", ".join(sorted(words))


def _ask(question: str, values: list[Any] | None = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(question, values)
        return list(cursor.fetchall())
