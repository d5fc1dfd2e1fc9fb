"""The only place that prepares statements: those of every prediction are planned once for many.

Planning them takes PostgreSQL as long as running them. A pooler that lends a connection for a
transaction at a time knows no prepared statement: behind one, they are sent whole.
"""

import re
import time
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from django.conf import settings
from django.db import connection

# A plan is made for the tables as they are: one for an empty table would read a large one whole.
PLAN_SECONDS = 5.0
# What a connection runs less often than so is sent whole.
RUNS_BEFORE = 5

PLACE = re.compile(r"\$(\d+)")


@dataclass
class Use:
    """How often a connection has run a statement since a moment, and whether it has prepared it."""

    since: float
    runs: int = 0
    is_prepared: bool = False


# What each open connection has run, by the statement's name.
_uses: MutableMapping[Any, dict[str, Use]] = WeakKeyDictionary()


class Statement:
    """A statement under a name, with places numbered from $1.

    types: PostgreSQL's names of what stands in them, in their order.
    """

    def __init__(self, name: str, types: Sequence[str], sql: str) -> None:
        self.name, self.types, self.sql = name, types, sql
        places = ", ".join(f"%s::{type_}" for type_ in types)
        self.execute = f"EXECUTE {name} ({places})" if types else f"EXECUTE {name}"
        self.whole = PLACE.sub(
            lambda place: f"%(p{place[1]})s::{types[int(place[1]) - 1]}", sql.replace("%", "%%")
        )

    def run(self, *values: Any) -> list[tuple[Any, ...]]:
        """Run it with a value a place; return the rows that it gives."""
        with connection.cursor() as cursor:
            cursor.execute(*self.spelled(values))
            return cursor.fetchall() if cursor.description else []

    def spelled(self, values: Sequence[Any]) -> tuple[str, Any]:
        """Give what to send: its name if the connection has prepared it, or all of it."""
        if settings.DATABASE_PREPARES and self.prepare_if_frequent():
            return self.execute, values
        return self.whole, {f"p{number}": value for number, value in enumerate(values, start=1)}

    def prepare_if_frequent(self) -> bool:
        """Count a run, prepare on a connection that runs it often; say whether it is prepared."""
        now = time.monotonic()
        uses = _uses.setdefault(connection.connection, {})
        use = uses.setdefault(self.name, Use(since=now))
        if now - use.since > PLAN_SECONDS:
            if use.is_prepared:
                self.command(f"DEALLOCATE {self.name}")
            uses[self.name] = use = Use(since=now)
        use.runs += 1
        if use.runs > RUNS_BEFORE and not use.is_prepared:
            types = f"({', '.join(self.types)})" if self.types else ""
            self.command(f"PREPARE {self.name} {types} AS {self.sql}")
            use.is_prepared = True
        return use.is_prepared

    def command(self, words: str) -> None:
        # Neither is undone with the transaction.
        with connection.wrap_database_errors, connection.connection.cursor() as cursor:
            cursor.execute(words)


# A statement and its values.
Call = tuple[Any, ...]


def run_in_turn(*calls: Call) -> list[tuple[Any, ...]]:
    """Run statements, each with its values, in one message; return the rows of the last.

    Each sees what the one before it has done, and what others committed meanwhile; to all of them
    `statement_timestamp()` is when the message came.
    """
    with connection.cursor() as cursor:
        spelled = [statement.spelled(values) for statement, *values in calls]
        cursor.execute(";".join(cursor.mogrify(*one).decode() for one in spelled))
        return cursor.fetchall() if cursor.description else []
