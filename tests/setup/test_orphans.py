"""What a killed keeper leaves behind is ended before a new one starts, and nothing else is."""

import os
import subprocess
from pathlib import Path

from mlservice.embedded.home import Home
from mlservice.embedded.orphans import end_orphans


def left_behind(home: Home) -> "subprocess.Popen[bytes]":
    address = f"unix://{home.keeper_socket}"
    return subprocess.Popen(
        ["sleep", "60"], env=os.environ | {"SUPERVISOR_SERVER_URL": address}, start_new_session=True
    )


def test_only_the_processes_of_this_home_are_ended(tmp_path: Path) -> None:
    mine, other = (Home(tmp_path / name, tmp_path / name) for name in ("mine", "other"))
    orphan, neighbour = left_behind(mine), left_behind(other)

    end_orphans(mine)

    try:
        assert orphan.wait(timeout=5) != 0
        assert neighbour.poll() is None
    finally:
        neighbour.kill()
        neighbour.wait()
