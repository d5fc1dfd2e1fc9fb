"""The only place that says whom the servers run as, and gives that user what it must reach."""

import os
import pwd
import shutil
import subprocess
from importlib.metadata import distribution
from pathlib import Path

from mlservice.embedded.home import Home, checkout_home, make_private_folder

SYSTEM_USER = "mlservice"


class ServerError(Exception):
    """A server could not be made or did not answer in time."""


def system_user() -> str | None:
    """Return the user the servers run as when root asks, else None for the asking user."""
    return SYSTEM_USER if os.geteuid() == 0 else None


def make_home(home: Home, *folders: Path) -> None:
    """Make the home, its sockets folder and the given folders, the latter for the system user."""
    owner = _system_user_id()
    make_private_folder(home.folder)
    if owner is not None:
        # The system user passes through to what is its own but cannot list the home.
        home.folder.chmod(0o711)
    for folder in (home.sockets, *folders):
        make_private_folder(folder, owner=owner)


def wheel_folder(name: str, *parts: str) -> Path:
    """Return a folder that holds the named parts of an installed wheel, within reach of servers.

    A virtual environment may lie under a home folder that the system user cannot enter, so it
    is given a copy, made once for each version.
    """
    wheel = distribution(name)
    installed = Path(str(wheel.locate_file("")))
    if system_user() is None:
        return installed
    copy = checkout_home().folder / "wheels" / f"{name}-{wheel.version}"
    if not copy.exists():
        _copy(installed, copy, parts)
    return copy


def _copy(installed: Path, copy: Path, parts: tuple[str, ...]) -> None:
    make_home(checkout_home())
    copy.parent.mkdir(mode=0o755, exist_ok=True)
    draft = copy.with_name(f"{copy.name}.{os.getpid()}.draft")
    skip = shutil.ignore_patterns("include", "pgxs", "*.a", "__pycache__")
    for part in parts:
        shutil.copytree(installed / part, draft / part, ignore=skip, symlinks=True)
    try:
        draft.rename(copy)
    except OSError:
        # Another process finished the same copy first.
        shutil.rmtree(draft)


def _system_user_id() -> int | None:
    if system_user() is None:
        return None
    try:
        return pwd.getpwnam(SYSTEM_USER).pw_uid
    except KeyError:
        adding = ["useradd", "--system", "--no-create-home", "--user-group", SYSTEM_USER]
        subprocess.run(adding, check=True)  # noqa: S603
        return pwd.getpwnam(SYSTEM_USER).pw_uid
