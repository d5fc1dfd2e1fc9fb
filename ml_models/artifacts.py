"""The loader: the only place that finds an artifact's bytes and has them made an estimator.

Artifacts are kept by content address, the way DVC lays out its cache and its remote; DVC
itself is not needed to read them.
"""

import hashlib
import logging
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version as installed_version
from pathlib import Path

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings

from ml_models import copies
from ml_models.errors import (
    ArtifactCorrupt,
    ArtifactIncompatible,
    ArtifactMissing,
    ArtifactUnavailable,
    in_words,
)
from ml_models.fetching import address, fetch
from ml_models.formats import Estimator, estimator_from
from ml_models.models import Artifact
from mlservice.lib.errors import DomainError

logger = logging.getLogger(__name__)


def load_estimator(artifact: Artifact) -> Estimator:
    """Return the estimator, made from the very bytes whose digests were checked.

    Raise ArtifactMissing, ArtifactCorrupt or ArtifactIncompatible if that can never be, and
    ArtifactUnavailable if the remote is away.
    """
    content = verified(artifact)
    try:
        estimator = estimator_from(content, artifact.format)
    except (MemoryError, SoftTimeLimitExceeded):
        raise
    # Whatever unpickling trips over, these bytes will do so again.
    except Exception as failure:
        raise ArtifactIncompatible(
            f"The artifact cannot be loaded: {in_words(failure)}"
        ) from failure
    if not is_estimator(estimator):
        raise ArtifactIncompatible(
            f"The artifact holds no estimator: what it holds is {type(estimator).__name__}."
        )
    return estimator


def is_estimator(loaded: object) -> bool:
    """Say whether it has what an estimator is asked for; a class has it only for its instances."""
    return not isinstance(loaded, type) and all(
        callable(getattr(loaded, name, None)) for name in ("predict", "get_params", "set_params")
    )


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
    """Return the artifact's bytes from the local store or its copies, else the remote's, checked.

    What lies here and is bad does not matter where there is a remote to ask.
    """
    trouble: DomainError = ArtifactMissing(
        f"The local store has no {artifact.md5} and no remote is set."
    )
    for read in (stored_path(artifact.md5).read_bytes, partial(copies.read, artifact.md5)):
        try:
            return read_checked(read, artifact)
        except FileNotFoundError:
            continue
        except (ArtifactCorrupt, ArtifactUnavailable) as found:
            trouble = found
            logger.exception("stored_artifact_bad", extra={"md5": artifact.md5})
    if settings.MODEL_REMOTE_BUCKET:
        return fetched(artifact)
    raise trouble


def read_checked(read: Callable[[], bytes], artifact: Artifact) -> bytes:
    try:
        content = read()
    except FileNotFoundError:
        raise
    except IsADirectoryError as failure:
        raise ArtifactCorrupt(f"There is a folder at {artifact.md5}.") from failure
    except OSError as failure:
        raise ArtifactUnavailable(f"The local store cannot be read: {failure}") from failure
    return checked(content, artifact)


def fetched(artifact: Artifact) -> bytes:
    """Fetch the artifact and keep a copy, unless another process does so just now."""
    until = time.monotonic() + settings.MODEL_FETCH_SECONDS
    with copies.turn_to_fetch(artifact.md5, until=until) as part:
        try:
            return read_checked(partial(copies.read, artifact.md5), artifact)
        except (FileNotFoundError, ArtifactCorrupt, ArtifactUnavailable):
            content = checked(fetch(artifact, seconds=until - time.monotonic()), artifact)
        copies.keep(content, artifact.md5, part)
        return content


def stored_path(md5: str) -> Path:
    return Path(settings.MODEL_STORE_DIR) / address(md5)


def checked(content: bytes, artifact: Artifact) -> bytes:
    """Return the bytes if size and both digests are as published, else raise ArtifactCorrupt."""
    if len(content) != artifact.size:
        raise ArtifactCorrupt(
            f"The bytes at {artifact.md5} are not the published ones: "
            f"{artifact.size} were published, and there are {said_size(content, artifact)}."
        )
    is_published = (
        hashlib.md5(content, usedforsecurity=False).hexdigest() == artifact.md5
        and hashlib.sha256(content).hexdigest() == artifact.sha256
    )
    if not is_published:
        raise ArtifactCorrupt(
            f"The bytes at {artifact.md5} are not the published ones: their digest differs."
        )
    return content


def said_size(content: bytes, artifact: Artifact) -> str:
    # Of what is too long, no more may have been read than shows it.
    return f"{len(content)}" if len(content) < artifact.size else "more"


def keep(content: bytes, path: Path) -> None:
    """Put the bytes into the local store, whole or not at all; a full disk is no failure."""
    try:
        _write_whole(content, path)
    except OSError as failure:
        logger.warning("artifact_not_kept", extra={"path": str(path), "error": str(failure)})


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
