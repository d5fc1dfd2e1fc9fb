"""`manage.py wait_for_worker`: return once somebody is there to predict."""

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from predictions.lanes import live_children

POLL_SECONDS = 0.2


class Command(BaseCommand):
    help = "Wait until a worker node has sent a heartbeat; fail after --timeout seconds."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--timeout", type=float, default=90, help="seconds")

    def handle(self, *args: Any, **options: Any) -> None:
        deadline = time.monotonic() + options["timeout"]
        while not live_children():
            if time.monotonic() > deadline:
                raise CommandError("No worker is alive; its log says why.")
            time.sleep(POLL_SECONDS)
