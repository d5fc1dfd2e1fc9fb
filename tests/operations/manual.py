"""The only place that takes commands out of the operators' manual, to run them as printed."""

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
MANUAL = CHECKOUT / "docs" / "operations.md"


def commands(title: str) -> str:
    """Return the one block of commands whose first line is this comment."""
    blocks = re.findall(r"^```bash\n(.*?)^```$", MANUAL.read_text(), re.MULTILINE | re.DOTALL)
    (block,) = (block for block in blocks if block.startswith(f"# {title}\n"))
    return str(block)


def run(script: str, env: Mapping[str, str], *, cwd: Path = CHECKOUT) -> str:
    """Run commands as printed, in a checkout; return what they said, or fail with it."""
    done = subprocess.run(
        ["bash", "-eu", "-o", "pipefail", "-c", script],
        cwd=cwd,
        env=os.environ | dict(env),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
    return done.stdout
