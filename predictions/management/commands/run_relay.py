"""`manage.py run_relay`: the process between the table and the broker."""

import signal
from threading import Thread
from typing import Any

from django.core.management.base import BaseCommand

from mlservice.lib.metrics import exposing
from mlservice.lib.metrics.counting import Counts
from mlservice.lib.metrics.processes import Processes
from predictions.relay import Relay


class Command(BaseCommand):
    help = "Publish waiting predictions to the broker in groups, and reap what was left behind."

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until SIGTERM or SIGINT; the group being published is finished first."""
        relay = Relay()
        for number in (signal.SIGTERM, signal.SIGINT):
            # A thread, for the event may be locked by the very code that the signal interrupts.
            signal.signal(number, lambda *_: Thread(target=relay.stopped.set).start())
        exposing.serve(exposing.registry_of(Counts(), Processes()))
        relay.run()
