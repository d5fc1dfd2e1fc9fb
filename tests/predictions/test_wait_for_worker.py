"""The set-up waits until somebody is there to predict."""

import pytest
from django.core.management import CommandError, call_command

from predictions.dispatch import forget_worker, record_heartbeat


def test_it_returns_once_a_worker_is_alive(db: None) -> None:
    record_heartbeat(name="node", children=1, queues=["predictions"])

    call_command("wait_for_worker", timeout=0)


def test_it_fails_when_no_worker_comes(db: None) -> None:
    record_heartbeat(name="node", children=1, queues=["predictions"])
    forget_worker(name="node")

    with pytest.raises(CommandError, match="No worker is alive"):
        call_command("wait_for_worker", timeout=0)
