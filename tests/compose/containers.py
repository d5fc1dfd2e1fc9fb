"""The only place that asks the engine what the containers may do, and whether that is little."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any


def compose(*arguments: str, cwd: Path) -> str:
    done = subprocess.run(
        ["docker", "compose", *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"docker compose {' '.join(arguments)}: {done.stderr[-3000:]}"
    return done.stdout


def inspected(checkout: Path) -> list[dict[str, Any]]:
    ids = compose("ps", "--all", "--quiet", cwd=checkout).split()
    found = subprocess.run(["docker", "inspect", *ids], capture_output=True, check=True).stdout
    containers: list[dict[str, Any]] = json.loads(found)
    return containers


def service(container: dict[str, Any]) -> str:
    return str(container["Config"]["Labels"]["com.docker.compose.service"])


def check_rights(containers: list[dict[str, Any]], secrets: list[str]) -> None:
    """See that each container is what docs/compose.md promises of all of them."""
    for one in containers:
        name, host = service(one), one["HostConfig"]
        assert one["Config"]["User"] not in {"", "0", "root"}, f"{name} runs as root"
        assert host["ReadonlyRootfs"], f"{name} may write to its image"
        assert (host["CapDrop"], host["CapAdd"]) == (["ALL"], None), f"{name} has capabilities"
        assert "no-new-privileges:true" in host["SecurityOpt"], f"{name} may gain privileges"
        limits = [host["Memory"], host["NanoCpus"], host["PidsLimit"]]
        assert all(limits), f"{name} has no limit of one kind"
        assert name == "proxy" or not host["PortBindings"], f"{name} is published"
        told = json.dumps([one["Config"]["Env"], one["Config"]["Cmd"]])
        assert not [value for value in secrets if value in told], f"{name} shows a secret"


def check_users(containers: list[dict[str, Any]]) -> dict[str, str]:
    """Ask the processes themselves who they are; return the user of each service."""
    users = {}
    for one in containers:
        if one["State"]["Running"]:
            status = Path(f"/proc/{one['State']['Pid']}/status").read_text()
            fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
            users[service(one)] = fields["Uid"].split()[0]
            assert users[service(one)] != "0", f"{service(one)} is root"
            assert int(fields["CapEff"], 16) == 0, f"{service(one)} has capabilities"
            assert fields["NoNewPrivs"] == "1"
    return users


def check_ends(containers: list[dict[str, Any]]) -> None:
    """See that everyone ended by itself in time, and that nobody ran out of memory."""
    for one in containers:
        state = one["State"]
        assert not state["Running"], f"{service(one)} still runs"
        assert not state["OOMKilled"], f"{service(one)} ran out of memory"
        assert state["ExitCode"] in {0, 143}, f"{service(one)} ended with {state['ExitCode']}"


def kill(container: dict[str, Any]) -> None:
    """Let it die as by an accident, which Docker must not take for a wish."""
    os.kill(container["State"]["Pid"], 9)
