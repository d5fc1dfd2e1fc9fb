"""What a process takes is counted with all that it has started, whatever sessions they make."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from benchmarks.processes import usage

# A child in a session of its own that holds 60 MB and has worked; then both wait.
CHILD = "held = b'x' * 60_000_000; sum(range(3_000_000)); print('ready', flush=True); input()"
PARENT = f"""
import subprocess, sys
subprocess.run([sys.executable, "-c", {CHILD!r}], start_new_session=True)
"""


@pytest.fixture
def parent() -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        yield process
        process.communicate("done\n", timeout=30)


def test_descendants_count(parent: "subprocess.Popen[str]") -> None:
    used = usage(parent.pid)

    assert used.processes == 2
    assert used.cpu_seconds > 0
    assert 60 < used.largest_mb < 200
    assert used.own_mb > 60


def test_a_process_that_is_gone_takes_nothing() -> None:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()

    assert usage(done.pid).processes == 0
