"""The README's copy-paste path, run as it is printed."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.e2e.live import LiveService

ROOT = Path(__file__).resolve().parents[2]


def copy_paste_path(readme: str, checkout: Path = ROOT) -> str:
    text = (checkout / readme).read_text()
    (block,) = re.findall(r"^```bash\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    return str(block)


def run_in_bash(script: str, base_url: str) -> str:
    done = subprocess.run(
        ["bash", "-eu", "-c", script],
        env=os.environ | {"BASE_URL": base_url},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.broker
def test_the_copy_paste_path_works_as_printed(live_service: LiveService) -> None:
    script = copy_paste_path("README.md")

    said = run_in_bash(script, live_service.base_url)

    assert '"status": "starting"' not in said
    assert said.splitlines()[-1] == "balance before 100, cost 6, balance after 94"


def test_both_languages_print_the_same_commands() -> None:
    english, russian = copy_paste_path("README.md"), copy_paste_path("README.ru.md")

    def commands(script: str) -> list[str]:
        return [line for line in script.splitlines() if not line.startswith("#")]

    assert commands(russian) == commands(english)
