"""The loader: the only place that fetches an artifact's bytes and has them made an estimator.

Artifacts are kept by content address, the way DVC lays out its cache and its remote; DVC
itself is not needed to read them.
"""

import hashlib
import logging
import os
import tempfile
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings

from ml_models.errors import (
    ArtifactCorrupt,
    ArtifactIncompatible,
    ArtifactMissing,
    ArtifactUnavailable,
    in_words,
)
from ml_models.formats import Estimator, estimator_from
from ml_models.models import Artifact

logger = logging.getLogger(__name__)

# The store's words for one missing object; a missing bucket is a wrong setting instead.
NO_SUCH_OBJECT = {"NoSuchKey", "404"}

# A dead store must fail well within a task's time limit.
REMOTE = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 2})


def load_estimator(artifact: Artifact) -> Estimator:
    """Return the estimator, made from the very bytes whose digests were checked.

    Raise ArtifactMissing, ArtifactCorrupt or ArtifactIncompatible if that can never be, and
    ArtifactUnavailable if the remote is away.
    """
    content = verified(artifact)
    try:
        return estimator_from(content, artifact.format)
    except (MemoryError, SoftTimeLimitExceeded):
        raise
    # Whatever unpickling trips over, these bytes will do so again.
    except Exception as failure:
        raise ArtifactIncompatible(
            f"The artifact cannot be loaded: {in_words(failure)}"
        ) from failure


def verified(artifact: Artifact) -> bytes:
    """Return the artifact's bytes once size, digests and scikit-learn's version were checked."""
    installed = installed_version("scikit-learn")
    if artifact.sklearn_version != installed:
        raise ArtifactIncompatible(
            f"The artifact was made by scikit-learn {artifact.sklearn_version}; "
            f"this process has {installed}."
        )
    return read_artifact(artifact)


def read_artifact(artifact: Artifact) -> bytes:
    """Return the artifact's bytes from the local store, else from the remote, checked.

    A local copy that went bad is fetched again where there is a remote to ask.
    """
    path = stored_path(artifact.md5)
    try:
        return checked(path.read_bytes(), artifact)
    except FileNotFoundError:
        if not settings.MODEL_REMOTE_BUCKET:
            raise ArtifactMissing(
                f"The local store has no {artifact.md5} and no remote is set."
            ) from None
    except OSError as failure:
        raise ArtifactUnavailable(f"The local store cannot be read: {failure}") from failure
    except ArtifactCorrupt:
        if not settings.MODEL_REMOTE_BUCKET:
            raise
        logger.exception("stored_artifact_corrupt", extra={"md5": artifact.md5})
    content = checked(fetch(artifact), artifact)
    keep(content, path)
    return content


def stored_path(md5: str) -> Path:
    return Path(settings.MODEL_STORE_DIR) / address(md5)


def address(md5: str) -> str:
    return f"files/md5/{md5[:2]}/{md5[2:]}"


def checked(content: bytes, artifact: Artifact) -> bytes:
    """Return the bytes if size and both digests are as published, else raise ArtifactCorrupt."""
    is_published = (
        len(content) == artifact.size
        and hashlib.md5(content, usedforsecurity=False).hexdigest() == artifact.md5
        and hashlib.sha256(content).hexdigest() == artifact.sha256
    )
    if not is_published:
        raise ArtifactCorrupt(f"The bytes at {artifact.md5} are not the published ones.")
    return content


def fetch(artifact: Artifact) -> bytes:
    """Ask the remote. Raise ArtifactMissing if it has no such object, else that it is away."""
    try:
        answer = remote().get_object(Bucket=settings.MODEL_REMOTE_BUCKET, Key=address(artifact.md5))
        # One byte more than published is enough to know that it is wrong.
        content: bytes = answer["Body"].read(artifact.size + 1)
    except ClientError as failure:
        if failure.response.get("Error", {}).get("Code") in NO_SUCH_OBJECT:
            raise ArtifactMissing(f"The remote has no {artifact.md5}.") from failure
        raise ArtifactUnavailable(f"The remote refused {artifact.md5}: {failure}") from failure
    except BotoCoreError as failure:
        raise ArtifactUnavailable(f"The remote gave no {artifact.md5}: {failure}") from failure
    return content


def keep(content: bytes, path: Path) -> None:
    """Put the bytes into the local store, whole or not at all; a full disk is no failure."""
    try:
        _write_whole(content, path)
    except OSError as failure:
        logger.warning("artifact_not_kept", extra={"path": str(path), "error": str(failure)})


def share(content: bytes, artifact: Artifact) -> None:
    """Give the remote, if there is one, what it does not get from DVC; workers fetch it there."""
    if not settings.MODEL_REMOTE_BUCKET:
        return
    try:
        place = {"Bucket": settings.MODEL_REMOTE_BUCKET, "Key": address(artifact.md5)}
        remote().put_object(Body=content, **place)
    except (ClientError, BotoCoreError) as failure:
        raise ArtifactUnavailable(f"The remote took no {artifact.md5}: {failure}") from failure


def remote() -> Any:
    return boto3.client("s3", endpoint_url=settings.MODEL_REMOTE_ENDPOINT_URL, config=REMOTE)


def _write_whole(content: bytes, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as part:
        try:
            part.write(content)
            part.flush()
            # As DVC keeps its own: nobody changes what has an address.
            os.fchmod(part.fileno(), 0o444)
            os.replace(part.name, path)
        except OSError:
            os.unlink(part.name)
            raise
