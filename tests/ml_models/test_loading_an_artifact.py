"""Goal: nothing is unpickled but the published bytes, by the scikit-learn that made them."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from ml_models import artifacts
from ml_models.errors import (
    ArtifactCorrupt,
    ArtifactIncompatible,
    ArtifactMissing,
    ArtifactUnavailable,
)
from ml_models.releases import describe_artifact
from tests.ml_models.builders import dumped, make_artifact, make_estimator
from tests.ml_models.s3 import ObjectStore, object_store

__all__ = ["object_store"]


class Canary:
    """A payload that leaves a file behind when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.mark),)


def overwrite(md5: str, content: bytes) -> None:
    path = artifacts.stored_path(md5)
    path.chmod(stat.S_IRUSR | stat.S_IWUSR)
    path.write_bytes(content)


def test_a_stored_artifact_is_loaded() -> None:
    artifact = make_artifact()

    estimator = artifacts.load_estimator(artifact)

    assert estimator.predict([[3.0, 1.0]])[0] == pytest.approx(7.0)


def test_a_payload_with_a_wrong_digest_is_never_unpickled(tmp_path: Path) -> None:
    mark = tmp_path / "canary"
    artifact = make_artifact()
    overwrite(artifact.md5, dumped(Canary(mark)))

    with pytest.raises(ArtifactCorrupt):
        artifacts.load_estimator(artifact)

    assert not mark.exists()


def test_the_canary_sings_when_its_own_digest_is_published(tmp_path: Path) -> None:
    mark = tmp_path / "canary"

    # What it makes is no estimator, but that is seen too late.
    with pytest.raises(ArtifactIncompatible, match="no estimator"):
        artifacts.load_estimator(make_artifact(dumped(Canary(mark))))

    assert mark.exists()


@pytest.mark.parametrize("digest", ["sha256", "size"])
def test_one_wrong_fact_is_enough_to_refuse(digest: str, tmp_path: Path) -> None:
    mark = tmp_path / "canary"
    content = dumped(Canary(mark))
    right = make_artifact(content)
    wrong: dict[str, Any] = {"sha256": "0" * 64, "size": right.size + 1}
    facts = vars(right) | {digest: wrong[digest]}

    with pytest.raises(ArtifactCorrupt):
        artifacts.load_estimator(type(right)(**facts))

    assert not mark.exists()


def test_a_truncated_artifact_is_refused() -> None:
    artifact = make_artifact()
    overwrite(artifact.md5, dumped(make_estimator())[:-10])

    with pytest.raises(ArtifactCorrupt):
        artifacts.load_estimator(artifact)


def test_an_artifact_of_another_scikit_learn_is_refused_unread(tmp_path: Path) -> None:
    mark = tmp_path / "canary"
    artifact = make_artifact(dumped(Canary(mark)), sklearn_version="0.24.2")

    with pytest.raises(ArtifactIncompatible, match=r"0\.24\.2"):
        artifacts.load_estimator(artifact)

    assert not mark.exists()


def test_an_artifact_that_is_nowhere_is_missing() -> None:
    artifact = describe_artifact(b"never stored", "1")

    with pytest.raises(ArtifactMissing):
        artifacts.read_artifact(artifact)


def test_an_artifact_comes_from_the_remote_and_stays(
    object_store: ObjectStore, settings: Settings
) -> None:
    content = dumped(make_estimator())
    artifact = describe_artifact(content, "1")
    object_store.put(f"files/md5/{artifact.md5[:2]}/{artifact.md5[2:]}", content)

    assert artifacts.read_artifact(artifact) == content
    settings.MODEL_REMOTE_BUCKET = ""
    assert artifacts.read_artifact(artifact) == content


def test_a_corrupt_object_of_the_remote_is_refused_and_not_kept(object_store: ObjectStore) -> None:
    content = dumped(make_estimator())
    artifact = describe_artifact(content, "1")
    object_store.put(f"files/md5/{artifact.md5[:2]}/{artifact.md5[2:]}", content + b"more")

    with pytest.raises(ArtifactCorrupt):
        artifacts.read_artifact(artifact)

    assert not artifacts.stored_path(artifact.md5).exists()


def test_an_object_that_the_remote_lacks_is_missing(object_store: ObjectStore) -> None:
    with pytest.raises(ArtifactMissing):
        artifacts.read_artifact(describe_artifact(b"never pushed", "1"))


def test_a_remote_that_does_not_answer_is_away_within_seconds(
    object_store: ObjectStore, settings: Settings
) -> None:
    settings.MODEL_REMOTE_ENDPOINT_URL = "http://127.0.0.1:9"

    with pytest.raises(ArtifactUnavailable):
        artifacts.read_artifact(describe_artifact(b"never pushed", "1"))
