#!/usr/bin/env python
"""Django's command line for this project."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mlservice.settings")

    from django.core.management import execute_from_command_line
    from django.db import OperationalError

    try:
        execute_from_command_line(sys.argv)
    except OperationalError as error:
        # With a code it is the database's own answer.
        if getattr(error.__cause__, "pgcode", None):
            raise
        advice = "The database does not answer; does it run? In a checkout ./init.sh starts it."
        sys.exit(f"{advice}\n{error}")


if __name__ == "__main__":
    main()
