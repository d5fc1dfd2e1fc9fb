"""The cache of fetched artifacts: shared by processes, bounded, and free to vanish at any time.

A copy appears whole or not at all. Who fetches holds the lock of the copy's part file, so that
of several processes one fetches and the others wait for it; the lock ends with its process.
"""

import fcntl
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from django.conf import settings

from ml_models.errors import ArtifactUnavailable

logger = logging.getLogger(__name__)

BYTES_IN_MB = 1_048_576
PART = ".part"
POLL_SECONDS = 0.05


def folder() -> Path:
    # Beside DVC's own objects where the store is its cache, and never among them.
    return Path(settings.MODEL_STORE_DIR) / "fetched"


def path_of(md5: str) -> Path:
    return folder() / md5


def read(md5: str) -> bytes:
    """Return a copy's bytes and note that it was used. Raise OSError if it cannot be read."""
    content = path_of(md5).read_bytes()
    with suppress(OSError):
        _note_use(path_of(md5))
    return content


@contextmanager
def turn_to_fetch(md5: str, *, until: float) -> Iterator[BinaryIO | None]:
    """Wait for one's turn to fetch and give the part file, or None where nothing can be written.

    until: by the monotonic clock; raise ArtifactUnavailable if somebody else still fetches then.
    """
    part = path_of(md5 + PART)
    file = _locked(part, until)
    if file is None:
        yield None
        return
    with file:
        try:
            yield file
        finally:
            # While it is locked nobody else writes into it; what was kept has another name.
            if _is_at(file, part):
                part.unlink(missing_ok=True)


def keep(content: bytes, md5: str, part: BinaryIO | None) -> None:
    """Make the bytes a copy, and remove the least recently used; a full disk is no failure."""
    if part is None:
        return
    if len(content) > bound():
        logger.warning("artifact_not_kept", extra={"md5": md5, "error": "MODEL_CACHE_MB is less"})
        return
    try:
        _remove_left_parts()
        part.truncate(0)
        part.write(content)
        part.flush()
        _note_use(part.fileno())
        os.replace(path_of(md5 + PART), path_of(md5))
        # Nobody changes what has an address.
        os.fchmod(part.fileno(), 0o444)
        _remove_least_used()
    except OSError as failure:
        logger.warning("artifact_not_kept", extra={"md5": md5, "error": str(failure)})


def _note_use(copy: Path | int) -> None:
    # By itself the file system notes it to some milliseconds only: two uses could look like one.
    now = time.time_ns()
    os.utime(copy, ns=(now, now))


def bound() -> int:
    return int(settings.MODEL_CACHE_MB * BYTES_IN_MB)


def _remove_least_used() -> None:
    """Remove what is beyond the bound: after each copy, so that the last of several sees all.

    Whoever reads a copy just now reads it to its end: only its name goes.
    """
    room = bound()
    for _, size, path in sorted(_found(), reverse=True):
        room -= size
        if room < 0:
            path.unlink(missing_ok=True)


def _found() -> Iterator[tuple[int, int, Path]]:
    """Give each copy with the time it was last used and its size."""
    for path in folder().iterdir():
        # Another process may remove it meanwhile.
        with suppress(FileNotFoundError):
            if path.suffix != PART:
                stat = path.stat()
                yield stat.st_mtime_ns, stat.st_size, path


def _remove_left_parts() -> None:
    """Remove the part files that no process holds any more: it was killed."""
    for part in folder().glob(f"*{PART}"):
        with suppress(OSError), part.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(file, part):
                part.unlink()


def _locked(part: Path, until: float) -> BinaryIO | None:
    while True:
        try:
            part.parent.mkdir(parents=True, exist_ok=True)
            file = part.open("ab")
            _lock(file, until)
        except OSError as failure:
            extra = {"path": str(part), "error": str(failure)}
            logger.warning("artifact_not_kept", extra=extra)
            return None
        # Whoever had the lock before has renamed or removed the file.
        if _is_at(file, part):
            return file
        file.close()


def _lock(file: BinaryIO, until: float) -> None:
    while not _is_locked(file):
        if time.monotonic() > until:
            file.close()
            raise ArtifactUnavailable("Another process still fetches the artifact; time is up.")
        time.sleep(POLL_SECONDS)


def _is_locked(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(file: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
