"""The loader: the only place that fetches an artifact's bytes and dares to unpickle them.

Artifacts are kept by content address, the way DVC lays out its cache and its remote; DVC
itself is not needed to read them.
"""

import hashlib
import os
import tempfile
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings

from ml_models.errors import ArtifactCorrupt, ArtifactIncompatible, ArtifactMissing
from ml_models.models import Artifact

# A dead store must fail well within a task's time limit.
REMOTE = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 2})


class Estimator(Protocol):
    """A fitted scikit-learn estimator: a table of n rows in, n predictions out."""

    def predict(self, features: Any) -> Any: ...


def load_estimator(artifact: Artifact) -> Estimator:
    """Return the estimator, unpickled from the very bytes whose digests were checked.

    Raise ArtifactMissing, ArtifactCorrupt or ArtifactIncompatible if that cannot be.
    """
    # Imported here, since relay and beat name the task and never load a model: it would
    # cost each of them two seconds and 150 MB.
    import joblib
    import sklearn

    if artifact.sklearn_version != sklearn.__version__:
        raise ArtifactIncompatible(
            f"The artifact was made by scikit-learn {artifact.sklearn_version}; "
            f"this process has {sklearn.__version__}."
        )
    estimator: Estimator = joblib.load(BytesIO(read_artifact(artifact)))
    return estimator


def read_artifact(artifact: Artifact) -> bytes:
    """Return the artifact's bytes from the local store, else from the remote, checked."""
    path = stored_path(artifact.md5)
    if path.is_file():
        return checked(path.read_bytes(), artifact)
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
    bucket = settings.MODEL_REMOTE_BUCKET
    if not bucket:
        raise ArtifactMissing(f"The local store has no {artifact.md5} and no remote is set.")
    try:
        remote = boto3.client("s3", endpoint_url=settings.MODEL_REMOTE_ENDPOINT_URL, config=REMOTE)
        answer = remote.get_object(Bucket=bucket, Key=address(artifact.md5))
        # One byte more than published is enough to know that it is wrong.
        content: bytes = answer["Body"].read(artifact.size + 1)
    except (BotoCoreError, ClientError) as failure:
        raise ArtifactMissing(f"The remote gave no {artifact.md5}: {failure}") from failure
    return content


def keep(content: bytes, path: Path) -> None:
    """Put the bytes into the local store, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as part:
        part.write(content)
    # As DVC keeps its own: nobody changes what has an address.
    Path(part.name).chmod(0o444)
    os.replace(part.name, path)
