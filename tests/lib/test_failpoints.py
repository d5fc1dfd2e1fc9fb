"""A step that is armed fires, an unarmed one costs nothing, and a misspelt one is refused."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from mlservice.lib import failpoints

CHECKOUT = Path(__file__).resolve().parents[2]


def test_without_a_word_no_step_fires() -> None:
    failpoint = failpoints.build("", "")

    for step in failpoints.STEPS:
        failpoint(step)

    assert failpoint is failpoints.build("", "elsewhere")


def test_only_the_armed_step_fails() -> None:
    failpoint = failpoints.build("relay_1=raise", "")
    failpoint("relay_2")

    with pytest.raises(failpoints.FailpointReached, match="relay_1"):
        failpoint("relay_1")


def test_a_step_sleeps_as_long_as_it_is_told() -> None:
    failpoint = failpoints.build("predict_1=sleep:0.05", "")
    began = time.monotonic()

    failpoint("predict_1")

    assert time.monotonic() - began >= 0.05


def test_a_killed_process_dies_of_sigkill() -> None:
    failpoint = failpoints.build("settle_3=kill", "")
    child = os.fork()
    if child == 0:
        failpoint("settle_3")
        os._exit(0)

    _, status = os.waitpid(child, 0)

    assert os.WTERMSIG(status) == signal.SIGKILL


def test_with_a_folder_each_step_fires_once(tmp_path: Path) -> None:
    first, second = (failpoints.build("claim_1=raise,claim_2=raise", str(tmp_path)) for _ in "12")
    with pytest.raises(failpoints.FailpointReached):
        first("claim_1")

    second("claim_1")

    with pytest.raises(failpoints.FailpointReached):
        second("claim_2")


@pytest.mark.parametrize(
    "text", ["settle_9=kill", "settle_1", "settle_1=explode", "settle_1=sleep", "settle_1=kill;"]
)
def test_a_misspelt_step_is_refused(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="FAILPOINTS"):
        failpoints.build(text, "")


def test_each_step_stands_once_in_the_code() -> None:
    sources = [file.read_text() for file in (CHECKOUT / "predictions").glob("*.py")]

    found = re.findall(r'failpoint\("(\w+)"\)', "".join(sources))

    assert sorted(found) == sorted(failpoints.STEPS)


def test_no_step_is_armed_where_money_is_real() -> None:
    told = {"FAILPOINTS": "settle_1=kill", "DEMO_MODE": "false", "DEBUG": "false"}

    done = subprocess.run(
        [sys.executable, "-c", "import mlservice.settings"],
        cwd=CHECKOUT,
        env=os.environ | told,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode != 0
    assert "FAILPOINTS need DEMO_MODE" in done.stderr
