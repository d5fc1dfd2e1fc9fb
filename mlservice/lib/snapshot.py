"""Read many things as of one moment."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def one_snapshot(*, idle_seconds: int | None = None) -> Iterator[None]:
    """Let every query inside see the same commit, so that work in flight is no difference.

    The server ends it when nothing is asked for `idle_seconds`, if they are given.
    """
    with transaction.atomic():
        # Inside an outer transaction the moment is that transaction's to choose.
        if not connection.savepoint_ids:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
                if idle_seconds is not None:
                    limit = f"{idle_seconds}s"
                    cursor.execute("SET LOCAL idle_in_transaction_session_timeout = %s", [limit])
        yield
