"""Run a command while a test run's private servers stand: `python -m tests.with_servers <command>`.

They start once, whatever number of pytest processes the command starts, and in whatever copy of
the checkout.
"""

import os
import subprocess
import sys
from pathlib import Path

from tests.servers import ensure_servers

CHECKOUT = Path(__file__).resolve().parent.parent

if __name__ == "__main__":
    ensure_servers()
    # Celery's module names the real settings wherever none are named yet.
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    os.environ.setdefault("MODEL_STORE_DIR", str(CHECKOUT / ".dvc" / "cache"))
    sys.exit(subprocess.run(sys.argv[1:], check=False).returncode)
