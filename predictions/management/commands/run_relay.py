"""`manage.py run_relay`: the process between the table and the broker."""

import signal
from typing import Any

from django.core.management.base import BaseCommand

from mlservice.celery import app
from predictions.relay import Relay

SOCKET_TIMEOUT_SECONDS = 3


class Command(BaseCommand):
    help = "Publish waiting predictions to the broker in groups, and reap what was left behind."

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until SIGTERM or SIGINT; the group being published is finished first."""
        relay = Relay()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: relay.stopped.set())
        # A broker in a resource alarm never confirms: only socket timeouts end that wait.
        # They belong to the publisher alone; a worker's connection may rightly be silent.
        if app.conf.broker_url.startswith("amqp"):
            app.conf.broker_transport_options = {
                "confirm_publish": True,
                "read_timeout": SOCKET_TIMEOUT_SECONDS,
                "write_timeout": SOCKET_TIMEOUT_SECONDS,
            }
        relay.run()
