"""The only place that limits how long a transaction waits for a row that another one has locked."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connection, transaction
from psycopg2.errors import LockNotAvailable


class LockTimeout(OperationalError):
    """A row stayed locked for longer than the transaction would wait; nothing was written."""


@contextmanager
def lock_timeout(milliseconds: int) -> Iterator[None]:
    """Open a transaction that raises LockTimeout when a lock takes longer than so."""
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = {milliseconds:d}")
            yield
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            raise LockTimeout(*error.args) from error
        raise
