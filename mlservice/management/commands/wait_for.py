"""`manage.py wait_for database | migrations | models`: what a container waits for at first."""

import time
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error, connections

from ml_models.models import MLModel
from mlservice.lib.health import migrated

PAUSE_SECONDS = 2.0


def database_answers() -> bool:
    """Connect as everybody whose address is known: the application, and the owner."""
    for connection in connections.all():
        connection.ensure_connection()
    return True


def models_are_published() -> bool:
    return migrated() and MLModel.objects.filter(stable__isnull=False).exists()


CHECKS: dict[str, Callable[[], bool]] = {
    "database": database_answers,
    "migrations": migrated,
    "models": models_are_published,
}


class Command(BaseCommand):
    help = "Return once what is named is there; fail when it is not within the given seconds."
    # They would ask for tables that are not there yet.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=CHECKS)
        parser.add_argument("--seconds", type=float, default=600)

    def handle(self, *args: Any, **options: Any) -> None:
        what, seconds = options["what"], options["seconds"]
        deadline = time.monotonic() + seconds
        while (missing := what_is_missing(what)) is not None:
            if time.monotonic() > deadline:
                raise CommandError(f"Waited {seconds:g} s for the {what} in vain: {missing}")
            time.sleep(PAUSE_SECONDS)
        self.stdout.write(f"The {what}: there.")


def what_is_missing(what: str) -> str | None:
    """Say what is not there yet, or nothing."""
    try:
        return None if CHECKS[what]() else "not there yet."
    except Error as error:
        return str(error).strip()
