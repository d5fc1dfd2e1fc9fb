"""Behind a transaction pooler nothing is used that it does not carry over."""

import subprocess
import sys

import pytest

from tests.operations.manual import CHECKOUT

DIRECT, POOLED = "postgresql://me@server/ours", "postgresql://me@pooler:6432/ours"
ASK = """
from mlservice import settings
database = settings.DATABASES["default"]
print(settings.DATABASE_PREPARES, database["DISABLE_SERVER_SIDE_CURSORS"],
      "options" in database["OPTIONS"])
"""


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"DATABASE_URL": DIRECT}, "True False True"),
        ({"DATABASE_URL": POOLED, "LISTEN_DATABASE_URL": DIRECT}, "False True False"),
        ({"DATABASE_URL": POOLED, "DATABASE_PREPARES": "false"}, "False True False"),
    ],
    ids=["at the server", "past the pooler to listen", "said by hand"],
)
def test_neither_prepared_statements_nor_long_cursors(given: dict[str, str], said: str) -> None:
    keys = {"SECRET_KEY": "k" * 50, "JWT_SIGNING_KEY": "k" * 50, "BROKER_URL": "memory://"}
    plain = {"LISTEN_DATABASE_URL": "", "DATABASE_PREPARES": "", "DEMO_MODE": "true"}

    done = subprocess.run(
        [sys.executable, "-c", ASK],
        cwd=CHECKOUT,
        env=plain | keys | given,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == said
