"""A duty whose child is killed is one that failed, though the child could not count it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(__file__).resolve().parents[2]
# A node of one child, its broker in memory, with a duty that goes as it is told.
NODE = """
import os, signal, sys, time, django
django.setup()
from threading import Thread
from celery import Celery
from mlservice import tasks

tasks.DUTIES = frozenset(["told"])
app = Celery(broker="memory://", set_as_current=True)

@app.task(name="told", time_limit={limit})
def duty():
    {does}

def failed():
    return tasks.duties_total.labels("told", "failed")._value.get()

def watch():
    deadline = time.monotonic() + 40
    while not failed() and time.monotonic() < deadline:
        time.sleep(0.1)
    # A second count of the same end would come now.
    time.sleep(1)
    print("failed", failed(), flush=True)
    os.killpg(os.getpid(), signal.SIGKILL)

duty.delay()
worker = app.Worker(pool="prefork", concurrency=1, without_mingle=True, without_gossip=True)
Thread(target=watch, daemon=True).start()
worker.start()
"""


@pytest.mark.parametrize(
    ("does", "limit"),
    [("time.sleep(60)", 1), ("os.kill(os.getpid(), signal.SIGKILL)", 60)],
    ids=["by its time limit", "by the kernel"],
)
def test_a_duty_that_is_killed_counts_as_failed_once(tmp_path: Path, does: str, limit: int) -> None:
    own = os.environ | {
        "DJANGO_SETTINGS_MODULE": "mlservice.settings",
        "SECRET_KEY": settings.SECRET_KEY,
        "JWT_SIGNING_KEY": settings.JWT_SIGNING_KEY,
        "METRICS_TOKEN": "a token",
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path),
        "METRICS_PORT": "",
    }

    done = subprocess.run(
        [sys.executable, "-c", NODE.format(does=does, limit=limit)],
        env=own,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=90,
        start_new_session=True,
        check=False,
    )

    assert "failed 1.0\n" in done.stdout, done.stderr
