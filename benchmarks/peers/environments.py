"""The only place that installs what is measured: in a virtual environment of its own, by uv.

They lie outside the checkout and stay for the next run.
"""

import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().parents[2] / "requirements.txt"
CACHE = Path.home() / ".cache" / "mlservice-benchmarks"
# Of the versions that were current when this was written.
PEERS = {
    # Its worker asks for an event loop where a newer uvloop makes none.
    "mlserver": ("mlserver==1.7.1", "uvloop<0.22"),
    "bentoml": ("bentoml==1.4.40",),
    "mlflow": ("mlflow==3.17.2",),
}
# An artifact is only sure to predict the same with what it was trained with.
SHARED = ("scikit-learn", "numpy", "scipy", "joblib", "pandas")
INSTALL_SECONDS = 900


class NotInstallable(Exception):
    """A peer cannot be had here; its rows say why."""


def environment(peer: str) -> Path:
    """Return the folder of the peer's programs, after installing it where that is still to do."""
    return installed(peer, [*PEERS[peer], *(f"{name}=={version(name)}" for name in SHARED)])


def own_environment() -> Path:
    """Return the folder of the service's programs, without what only tests and checks need.

    Some of that is imported by other packages wherever it is found, and takes 15 MB of a process.
    """
    lines = REQUIREMENTS.read_text().splitlines()
    return installed("mlservice", [line for line in lines if not line.lstrip().startswith("#")])


def installed(name: str, wanted: Sequence[str]) -> Path:
    folder = CACHE / name
    stamp = folder / "installed.txt"
    known = "\n".join([sys.version, *wanted])
    if not stamp.exists() or stamp.read_text() != known:
        print(f"Installing {len(wanted)} packages in {folder}", flush=True)
        uv("venv", "--clear", "--python", sys.executable, str(folder))
        uv("pip", "install", "--python", str(folder / "bin" / "python"), *wanted)
        stamp.write_text(known)
    return folder / "bin"


def uv(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "uv", "--quiet", *arguments],
        capture_output=True,
        text=True,
        timeout=INSTALL_SECONDS,
        check=False,
    )
    if done.returncode:
        raise NotInstallable(done.stderr.strip()[-300:])
