"""The only place that says whether a container's process is well: `health.py [role]`.

It starts in a moment, for it is run every few seconds: no Django here. Without a role it asks for
the one that the container was started as.
"""

import os
import socket
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

STALE_SECONDS = 30
# Where deploy/role.sh leaves its word.
ROLE = Path("/tmp/role")  # noqa: S108
# A turn of the relay takes at most half a second, or three while the broker hangs; one of
# beat five.
TURN_SECONDS = {"relay": 4.0, "beat": 6.0}
# Together less than what compose and the chart give a check.
PATIENCE = {"connect_timeout": 3, "tcp_user_timeout": 3_000}
# How the nodes of a role are called.
NODES = {"worker": "worker", "bulk": "worker", "duties": "duties"}


def main(role: str) -> int:
    if role == "web":
        is_well = web_answers()
    elif role in NODES:
        is_well = worker_beats(NODES[role])
    elif role in TURN_SECONDS:
        is_well = turns(TURN_SECONDS[role])
    else:
        # What ends by itself is well while it runs.
        is_well = True
    return 0 if is_well else 1


def web_answers() -> bool:
    address = f"http://127.0.0.1:{os.environ.get('PORT') or 8000}/readyz"
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, TimeoutError):
        return False


def worker_beats(node: str = "worker") -> bool:
    """Say whether the node's heartbeat is fresh.

    A database that is away, or takes a connection and then says nothing, is not its illness.
    """
    import psycopg2

    from deploy.secret_files import read_secret_files

    read_secret_files()
    name = f"{node}@{socket.gethostname()}"
    connection = None
    try:
        connection = psycopg2.connect(os.environ["DATABASE_URL"], **PATIENCE)
        with connection.cursor() as cursor:
            # Not as an option of the connection, which a pooler refuses.
            cursor.execute("SET LOCAL statement_timeout = '3s'")
            cursor.execute(
                "SELECT FROM predictions_worker"
                " WHERE name = %s AND seen_at > now() - make_interval(secs => %s)",
                [name, STALE_SECONDS],
            )
            return cursor.fetchone() is not None
    except psycopg2.OperationalError:
        return True
    finally:
        if connection is not None:
            connection.close()


def turns(seconds: float, *, process: int = 1) -> bool:
    """Say whether the process went to sleep and woke meanwhile: one that hangs does not."""
    before = _switches(process)
    time.sleep(seconds)
    return _switches(process) != before


def _switches(process: int) -> str:
    status = Path(f"/proc/{process}/task/{process}/status").read_text(encoding="ascii")
    return "".join(line for line in status.splitlines() if "ctxt_switches" in line)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ROLE.read_text(encoding="ascii")))
