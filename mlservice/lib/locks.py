"""The only place that limits how long a transaction waits for a row that another one has locked."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, transaction
from psycopg2.errors import LockNotAvailable

from mlservice.lib.prepared import Call, Statement, run_in_turn


class LockTimeout(OperationalError):
    """A row stayed locked for longer than the transaction would wait; nothing was written."""


def limit_lock_waits(milliseconds: int) -> Call:
    """Give what limits how long this transaction waits for a lock from then on."""
    return LIMIT_LOCK_WAITS, f"{milliseconds}ms"


LIMIT_LOCK_WAITS = Statement(
    "limit_lock_waits", ["text"], "SELECT set_config('lock_timeout', $1, true)"
)


@contextmanager
def lock_timeout(milliseconds: int) -> Iterator[None]:
    """Open a transaction that raises LockTimeout when a lock takes longer than so."""
    with telling_lock_timeouts(), transaction.atomic():
        run_in_turn(limit_lock_waits(milliseconds))
        yield


@contextmanager
def telling_lock_timeouts() -> Iterator[None]:
    """Raise LockTimeout where a transaction was told to wait no longer for a lock."""
    try:
        yield
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            raise LockTimeout(*error.args) from error
        raise
