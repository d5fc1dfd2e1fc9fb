"""A process with a limit gets a MemoryError, and lives on."""

import os
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PROGRAM = """
from mlservice.lib.memory import limit_memory
limit_memory({limit})
try:
    block = bytearray(200_000_000)
except MemoryError:
    print("refused")
else:
    print("given")
print(len(bytearray(1_000_000)))
"""


def printed(*, limit: int) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(limit=limit)],
        cwd=CHECKOUT,
        env=os.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def test_what_exceeds_the_limit_is_refused_and_the_process_goes_on() -> None:
    assert printed(limit=100) == ["refused", "1000000"]


def test_what_stays_below_it_is_given() -> None:
    assert printed(limit=400) == ["given", "1000000"]


def test_nothing_means_no_limit() -> None:
    assert printed(limit=0) == ["given", "1000000"]
