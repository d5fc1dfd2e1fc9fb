"""The only place that repeats a step until a database that is away is back."""

import time
from collections.abc import Callable
from typing import TypeVar

import structlog
from django.db import InterfaceError, OperationalError, connection

logger = structlog.get_logger(__name__)

T = TypeVar("T")

PAUSE_SECONDS = 0.5


def outlast(step: Callable[[], T], *, seconds: float) -> T:
    """Do a step that may safely be done twice; repeat it for so long while no database answers."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return step()
        except (OperationalError, InterfaceError) as error:
            if time.monotonic() > deadline:
                raise
            logger.warning("database_away", error=str(error))
            connection.close()
            time.sleep(PAUSE_SECONDS)
