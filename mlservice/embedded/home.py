"""The only place that lays out the folders, sockets and passwords of one set of servers."""

import hashlib
import os
import re
import secrets
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
DATABASE = "mlservice"
OWNER = "mlservice_owner"
APPLICATION = "mlservice_app"

# The kernel allows 107 bytes; the longest name below is PostgreSQL's lock beside its socket.
LONGEST_SOCKETS_FOLDER_BYTES = 100 - len("/.s.PGSQL.5432.lock")
# Both clients take the folder from a URL, and PostgreSQL from a comma-separated list.
PLAIN_PATH = re.compile(r"[A-Za-z0-9/._-]+")


class UnsafeFolderError(Exception):
    """A folder that must be ours alone belongs to somebody else."""


@dataclass(frozen=True)
class Home:
    """One private set of servers: the folder of its state and the folder of its sockets."""

    folder: Path
    sockets: Path

    @property
    def cluster(self) -> Path:
        return self.folder / "postgres"

    @property
    def broker(self) -> Path:
        return self.folder / "valkey"

    @property
    def broker_socket(self) -> Path:
        return self.sockets / "valkey.sock"

    @property
    def keeper_socket(self) -> Path:
        return self.sockets / "supervisor.sock"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    def database_url(self) -> str:
        return self._url(APPLICATION)

    def owner_url(self) -> str:
        return self._url(OWNER)

    def broker_url(self) -> str:
        return f"redis+socket://{self.broker_socket}"

    def _url(self, role: str) -> str:
        return f"postgresql://{role}:{self.password(role)}@/{DATABASE}?host={self.sockets}"

    def password(self, name: str) -> str:
        """Return the random password of a role, made at its first use and kept for its owner."""
        make_private_folder(self.folder)
        file = self.folder / f"{name}.password"
        if not file.exists():
            _write_once(file, secrets.token_urlsafe(24))
        return file.read_text()


def checkout_home() -> Home:
    """Return the home of this checkout's servers.

    PostgreSQL refuses to run as root, and the user it runs as cannot be expected to reach into
    a checkout, so root's state stands outside it.
    """
    name = hashlib.sha256(os.fsencode(CHECKOUT)).hexdigest()[:12]
    is_root = os.geteuid() == 0
    folder = Path(f"/var/lib/mlservice-{name}") if is_root else CHECKOUT / ".local"
    return Home(folder, _sockets_folder(folder, name))


def _sockets_folder(folder: Path, name: str) -> Path:
    inside = folder / "sockets"
    is_short = len(os.fsencode(inside)) <= LONGEST_SOCKETS_FOLDER_BYTES
    if is_short and PLAIN_PATH.fullmatch(str(inside)):
        return inside
    return Path(f"/tmp/mlservice-{name}-{os.geteuid()}")  # noqa: S108 (its owner is checked)


def make_private_folder(folder: Path, *, owner: int | None = None) -> None:
    """Make the folder for its owner alone. Raise UnsafeFolderError if it is anything else's."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    allowed = {os.geteuid(), owner}
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in allowed:
        raise UnsafeFolderError(f"{folder} belongs to another user; remove it, then try again.")
    if owner is not None and found.st_uid != owner:
        os.chown(folder, owner, -1)


def _write_once(file: Path, text: str) -> None:
    # A link fails where the file exists, so of several that start at once one wins whole.
    # mkstemp gives each a draft of its own, readable by its owner alone from the start.
    descriptor, draft = tempfile.mkstemp(prefix=f"{file.name}.", dir=file.parent)
    try:
        with os.fdopen(descriptor, "w") as opened:
            opened.write(text)
        os.link(draft, file)
    except FileExistsError:
        pass
    finally:
        os.unlink(draft)
