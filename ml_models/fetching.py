"""The only place that has the remote asked for an artifact: within a time, whatever it does."""

import subprocess
import sys
import time

from django.conf import settings

from ml_models.errors import ArtifactMissing, ArtifactUnavailable
from ml_models.models import Artifact

# How a process of `ml_models.remote` ends that found no such object.
MISSING = 3
# What that process still lives when whoever asked was killed and cannot end it.
GRACE_SECONDS = 5
# A remote that was away is not asked again for so long: else each of many models would cost a
# starting worker its whole time.
PAUSE_SECONDS = 5.0


class Pause:
    """Until when, by the monotonic clock, this process does not ask, and why not."""

    until = 0.0
    reason = ""


def address(md5: str) -> str:
    """Return where DVC has the bytes of this digest, in its cache and in its remote."""
    return f"files/md5/{md5[:2]}/{md5[2:]}"


def fetch(artifact: Artifact, *, seconds: float) -> bytes:
    """Return the object's bytes, not yet checked.

    Raise ArtifactMissing if the remote has no such object, else ArtifactUnavailable.
    """
    if time.monotonic() < Pause.until:
        raise ArtifactUnavailable(Pause.reason)
    try:
        return _fetch(artifact, seconds)
    except ArtifactUnavailable as failure:
        Pause.until, Pause.reason = time.monotonic() + PAUSE_SECONDS, str(failure.detail)
        raise


def ask_again() -> None:
    """Forget that the remote was away."""
    Pause.until = 0.0


def share(content: bytes, artifact: Artifact) -> None:
    """Give the remote, if there is one, what it does not get from DVC; workers fetch it there."""
    # Imported here, since no worker speaks to the remote itself: it would cost each up to 40 MB.
    from ml_models import remote

    if not settings.MODEL_REMOTE_BUCKET:
        return
    place = {"bucket": settings.MODEL_REMOTE_BUCKET, "key": address(artifact.md5)}
    try:
        remote.put(content, endpoint=settings.MODEL_REMOTE_ENDPOINT_URL, **place)
    except remote.FAILURES as failure:
        raise ArtifactUnavailable(f"The remote took no {artifact.md5}: {failure}") from failure


def _fetch(artifact: Artifact, seconds: float) -> bytes:
    """Have a process ask, and end it when its time is up.

    A limit on each read holds no server that drips, and none holds a name that is not resolved.
    """
    # One byte more than published is enough to know that it is wrong.
    told = (
        *(settings.MODEL_REMOTE_BUCKET, settings.MODEL_REMOTE_ENDPOINT_URL or ""),
        *(address(artifact.md5), str(artifact.size + 1), str(seconds + GRACE_SECONDS)),
    )
    command = [sys.executable, "-m", "ml_models.remote", *told]
    try:
        done = subprocess.run(  # noqa: S603
            command, cwd=settings.BASE_DIR, capture_output=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as late:
        raise ArtifactUnavailable(
            f"The remote gave no {artifact.md5} within {settings.MODEL_FETCH_SECONDS:g} seconds."
        ) from late
    except OSError as failure:
        raise ArtifactUnavailable(f"The remote cannot be asked: {failure}") from failure
    if done.returncode == MISSING:
        raise ArtifactMissing(f"The remote has no {artifact.md5}.")
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise ArtifactUnavailable(f"The remote gave no {artifact.md5}: {said}")
    return done.stdout
