"""What a management command says where nothing runs."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_a_database_that_is_away_is_told_in_two_lines() -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "audit_ledger"],
        env=os.environ
        | {
            "DJANGO_SETTINGS_MODULE": "mlservice.settings",
            "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "./init.sh starts it" in done.stderr
    assert "Traceback" not in done.stderr
