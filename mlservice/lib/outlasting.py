"""The only place that repeats a step until a database that is away is back."""

import time
from collections.abc import Callable
from typing import TypeVar

import psycopg2
import structlog
from django.db import Error, InterfaceError, OperationalError, connection

logger = structlog.get_logger(__name__)

T = TypeVar("T")

PAUSE_SECONDS = 0.5


def is_away(error: BaseException) -> bool:
    """Say whether an error tells of a database that does not answer, not of what it answered.

    psycopg2 says DatabaseError, and nothing nearer, where no answer with a code has come: the
    server died while it was read.
    """
    is_half_read = type(error.__cause__) is psycopg2.DatabaseError
    return is_half_read or isinstance(error, OperationalError | InterfaceError)


def outlast(step: Callable[[], T], *, seconds: float) -> T:
    """Do a step that may safely be done twice; repeat it for so long while no database answers."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return step()
        except Error as error:
            if not is_away(error):
                raise
            if time.monotonic() > deadline:
                raise
            logger.warning("database_away", error=str(error))
            connection.close()
            time.sleep(PAUSE_SECONDS)
