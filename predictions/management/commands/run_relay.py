"""`manage.py run_relay`: the process between the table and the broker."""

import signal
from typing import Any

from django.core.management.base import BaseCommand

from predictions.relay import Relay


class Command(BaseCommand):
    help = "Publish waiting predictions to the broker in groups, and reap what was left behind."

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until SIGTERM or SIGINT; the group being published is finished first."""
        relay = Relay()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: relay.stopped.set())
        relay.run()
