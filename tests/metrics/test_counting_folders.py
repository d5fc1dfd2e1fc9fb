"""A folder to count in is there while any process of its role lives, and gone some time after."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings

from deploy.counting_folder import make_folder
from tests.debian.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
# It makes a folder, forks a child if it shall, and stays until it is killed.
MAKER = """
import os, sys, time
from pathlib import Path
from deploy.counting_folder import make_folder
folder = make_folder(Path(sys.argv[1]))
if "fork" not in sys.argv or os.fork():
    print(folder, flush=True)
time.sleep(60)
"""


@contextmanager
def maker(within: Path, *more: str) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    process = subprocess.Popen(
        [sys.executable, "-c", MAKER, str(within), *more],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        yield process, Path(process.stdout.readline().strip())
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    with maker(tmp_path) as (_, left):
        (left / "counter_1.db").write_bytes(b"counts")

    made = make_folder(tmp_path)

    assert [str(folder) for folder in tmp_path.iterdir()] == [made]


def test_the_folder_of_a_living_process_stays(tmp_path: Path) -> None:
    with maker(tmp_path) as (_, theirs):
        mine, again = Path(make_folder(tmp_path)), Path(make_folder(tmp_path))

        assert set(tmp_path.iterdir()) == {theirs, mine, again}


def test_a_folder_stays_while_a_child_of_its_maker_lives(tmp_path: Path) -> None:
    with maker(tmp_path, "fork") as (process, theirs):
        process.kill()
        process.wait()

        make_folder(tmp_path)

        assert theirs.exists()


def test_what_is_not_ours_stays(tmp_path: Path) -> None:
    (tmp_path / "mlservice-of-somebody").mkdir()

    make_folder(tmp_path)

    assert (tmp_path / "mlservice-of-somebody").exists()


def test_processes_that_start_at_once_take_no_folder_from_each_other(tmp_path: Path) -> None:
    starting = [maker(tmp_path) for _ in range(6)]
    made = [each.__enter__()[1] for each in starting]
    try:
        assert set(tmp_path.iterdir()) == set(made)
        assert len(set(made)) == 6
    finally:
        for each in starting:
            each.__exit__(None, None, None)


def our_environment() -> dict[str, str]:
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "mlservice.settings",
        "SECRET_KEY": settings.SECRET_KEY,
        "JWT_SIGNING_KEY": settings.JWT_SIGNING_KEY,
    }


WHERE = """
import os, django
django.setup()
from mlservice.lib.metrics.requests import requests_total
requests_total.labels("wallet", "GET", "2xx").inc()
from prometheus_client import generate_latest
from mlservice.lib.metrics import exposing
from mlservice.lib.metrics.counting import Counts
shown = generate_latest(exposing.registry_of(Counts())).decode()
print('route="wallet",status="2xx"} 1.0' in shown)
"""


@pytest.mark.parametrize(("token", "is_shared"), [("a token", True), ("", False)])
@pytest.mark.parametrize("by_file", [False, True])
def test_counts_are_files_only_where_somebody_may_read_them(
    tmp_path: Path, token: str, is_shared: bool, by_file: bool
) -> None:
    folder, secret = tmp_path / "folder", tmp_path / "token"
    folder.mkdir()
    secret.write_text(f"{token}\n")
    own = our_environment()
    own |= {"PROMETHEUS_MULTIPROC_DIR": str(folder), "METRICS_TOKEN": "" if by_file else token}
    own |= {"METRICS_TOKEN_FILE": str(secret)} if by_file else {}

    done = subprocess.run(
        [sys.executable, "-c", WHERE], env=own, cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "True", done.stderr
    assert bool(list(folder.glob("*.db"))) is is_shared


PORT = """
import socket, sys, time, django
django.setup()
from mlservice.lib.metrics import exposing
exposing.ROOM_SECONDS = 0.1
with socket.create_server(("127.0.0.1", int(sys.argv[1]))):
    exposing.serve(exposing.registry_of())
    time.sleep(1)
deadline = time.monotonic() + 10
while time.monotonic() < deadline:
    try:
        socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=1).close()
        print("answers")
        break
    except OSError:
        time.sleep(0.1)
"""


def test_a_port_that_is_taken_is_told_once_and_waited_for() -> None:
    port = str(free_port())
    own = our_environment()
    own |= {"METRICS_TOKEN": "a token", "METRICS_PORT": port, "BIND_HOST": "127.0.0.1"}

    done = subprocess.run(
        [sys.executable, "-c", PORT, port],
        env=own,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == "answers"
    assert done.stderr.count("metrics_port_taken") == 1
