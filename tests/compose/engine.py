"""The only place that brings a Docker engine: a running one, or our own, which ends with us."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

READY_SECONDS = 30
STOP_SECONDS = 60
PACKAGES = ("docker.io", "iptables", "iproute2", "mmdebstrap")
TOOLS = ("dockerd", "iptables", "ip", "mmdebstrap")


class NoEngine(Exception):
    """No Docker engine runs here and none can be started; the message says why."""


@contextmanager
def engine(work: Path) -> Iterator[str]:
    """Give the address of an engine, with a client that knows compose, and say what it is."""
    os.environ["DOCKER_CONFIG"] = str(work / "docker-config")
    bring_compose(work / "docker-config" / "cli-plugins")
    if answers():
        yield version()
        return
    bring_packages()
    os.environ["DOCKER_HOST"] = f"unix://{work}/docker.sock"
    process = start(work)
    try:
        yield f"{version()}, started for this run"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=STOP_SECONDS)
        # It mounts its folder on itself, and may leave it so; then the folder could not be removed.
        subprocess.run(["umount", work / "docker"], capture_output=True, check=False)


def bring_compose(folder: Path) -> None:
    """Make `docker compose` what the wheel brings, without touching anyone's own plugins."""
    folder.mkdir(parents=True, exist_ok=True)
    plugin = folder / "docker-compose"
    plugin.unlink(missing_ok=True)
    plugin.symlink_to(Path(sys.executable).with_name("docker-compose"))


def answers() -> bool:
    try:
        asked = subprocess.run(["docker", "info"], capture_output=True, timeout=20, check=False)
    except FileNotFoundError:
        return False
    return asked.returncode == 0


def version() -> str:
    words = "Docker {{.ServerVersion}}, {{.Driver}}, cgroup v{{.CgroupVersion}}"
    return subprocess.run(
        ["docker", "info", "--format", words], capture_output=True, text=True, check=True
    ).stdout.strip()


def bring_packages() -> None:
    if all(shutil.which(tool) for tool in (*TOOLS, "docker")):
        return
    if os.getuid() != 0 or not shutil.which("apt-get"):
        raise NoEngine("No Docker engine answers, and only root can install one, by apt-get.")
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], check=True)
    install = ["apt-get", "install", "-qq", "--yes", "--no-install-recommends", *PACKAGES]
    subprocess.run(install, env=quiet, stdout=subprocess.DEVNULL, check=True)


def start(work: Path) -> "subprocess.Popen[bytes]":
    """Start an engine that shares nothing with another one; raise NoEngine with its last words."""
    if os.getuid() != 0:
        raise NoEngine("No Docker engine answers, and only root can start one.")
    options: list[str | Path] = [
        "--data-root",
        work / "docker",
        "--exec-root",
        work / "docker-exec",
    ]
    options += ["--pidfile", work / "docker.pid", "--host", os.environ["DOCKER_HOST"]]
    log = work / "dockerd.log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            ["dockerd", *options],
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    deadline = time.monotonic() + READY_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if answers():
            return process
        time.sleep(0.2)
    process.kill()
    words = log.read_text(errors="replace").splitlines()[-5:]
    raise NoEngine("dockerd does not start here; it says:\n  " + "\n  ".join(words))
