"""An artifact that cannot be used breaks its version: what waits is released, the rest serves."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import User
from ml_models import artifacts, copies, inference
from ml_models.errors import (
    ArtifactCorrupt,
    ArtifactMissing,
    ArtifactUnavailable,
    VersionBroken,
    VersionNotBroken,
)
from ml_models.fetching import address
from ml_models.models import ModelVersion
from ml_models.pointers import promote
from ml_models.selectors import forget_found_versions, version_by_id
from ml_models.services import break_version, check_again, retire_version
from predictions import runner
from predictions.models import Prediction
from predictions.reaping import fail_for_broken_versions
from tests.conftest import make_prediction
from tests.ml_models.builders import (
    dumped,
    make_artifact,
    make_estimator,
    make_foreign_version,
    make_version,
)
from tests.ml_models.s3 import ObjectStore, object_store

__all__ = ["object_store"]

Spoil = Callable[[ModelVersion], None]


@pytest.fixture(autouse=True)
def store(settings: Any, tmp_path: Path) -> Iterator[None]:
    settings.MODEL_STORE_DIR = str(tmp_path / "store")
    settings.MODEL_REMOTE_BUCKET = ""
    inference.unload()
    version_by_id.cache_clear()
    yield
    inference.unload()
    version_by_id.cache_clear()


class Canary:
    """A payload that leaves a folder behind when it is unpickled."""

    def __reduce__(self) -> Any:
        return os.mkdir, (str(Path("/tmp") / f"canary-{os.getpid()}"),)

    @staticmethod
    def sang() -> bool:
        return (Path("/tmp") / f"canary-{os.getpid()}").exists()


def path_of(version: ModelVersion) -> Path:
    return artifacts.stored_path(version.artifact_md5)


def write(version: ModelVersion, content: bytes) -> None:
    path_of(version).chmod(0o644)
    path_of(version).write_bytes(content)


def remove(version: ModelVersion) -> None:
    path_of(version).unlink()


def truncate(version: ModelVersion) -> None:
    write(version, path_of(version).read_bytes()[:-10])


def flip_a_bit(version: ModelVersion) -> None:
    content = bytearray(path_of(version).read_bytes())
    content[len(content) // 2] ^= 1
    write(version, bytes(content))


def put_a_canary(version: ModelVersion) -> None:
    write(version, dumped(Canary()))


def toys() -> tuple[ModelVersion, ModelVersion]:
    other = make_artifact(dumped(make_estimator(slope=3.0)))
    return make_version(slug="toy"), make_version(slug="other", artifact=other)


def now(row: Any) -> Any:
    row.refresh_from_db()
    return row


@pytest.mark.parametrize("spoil", [remove, truncate, flip_a_bit, put_a_canary])
def test_a_bad_artifact_breaks_its_version_releases_its_work_and_leaves_others_serving(
    alice: User, spoil: Spoil
) -> None:
    bad, good = toys()
    spoil(bad)
    failing = [make_prediction(alice, model="toy") for _ in range(2)]
    serving = make_prediction(alice, model="other")

    runner.run([failing[0].pk, serving.pk])
    fail_for_broken_versions()

    assert now(bad).status == "broken"
    assert bad.broken_reason
    assert bad.broken_at is not None
    assert now(good).status == "published"
    assert {(now(one).status, one.error_code) for one in failing} == {("failed", "version_broken")}
    assert {now(one.hold).status for one in failing} == {"released"}
    assert now(serving).status == "succeeded"
    assert not Canary.sang()


def test_a_version_of_another_scikit_learn_breaks(alice: User) -> None:
    version = make_foreign_version(artifact=make_artifact(sklearn_version="0.24.2"))
    prediction = make_prediction(alice, model="toy")

    runner.run([prediction.pk])

    assert now(prediction).error_code == "version_broken"
    assert "0.24.2" in now(version).broken_reason


def test_bytes_that_cannot_be_unpickled_break_their_version(alice: User) -> None:
    version = make_foreign_version(artifact=make_artifact(b"published, and yet no pickle"))

    runner.run([make_prediction(alice, model="toy").pk])

    assert now(version).status == "broken"


def test_a_canary_in_the_remote_never_sings(alice: User, object_store: ObjectStore) -> None:
    version = make_version()
    remove(version)
    object_store.put(address(version.artifact_md5), dumped(Canary()))

    runner.run([make_prediction(alice, model="toy").pk])

    assert now(version).status == "broken"
    assert not Canary.sang()


def test_a_bad_copy_is_fetched_again_where_there_is_a_remote(
    alice: User, object_store: ObjectStore
) -> None:
    version = make_version()
    object_store.put(address(version.artifact_md5), path_of(version).read_bytes())
    put_a_canary(version)
    prediction = make_prediction(alice, model="toy")

    runner.run([prediction.pk])

    assert now(prediction).status == "succeeded"
    assert artifacts.checked(copies.read(version.artifact_md5), version.artifact)
    assert not Canary.sang()


def test_an_object_the_remote_lacks_breaks_the_version(
    alice: User, object_store: ObjectStore
) -> None:
    version = make_version()
    remove(version)

    runner.run([make_prediction(alice, model="toy").pk])

    assert now(version).status == "broken"


def test_a_remote_that_is_away_breaks_nothing(
    alice: User, object_store: ObjectStore, settings: Any
) -> None:
    version = make_version()
    remove(version)
    settings.MODEL_REMOTE_ENDPOINT_URL = "http://127.0.0.1:9"
    prediction = make_prediction(alice, model="toy")

    with pytest.raises(ArtifactUnavailable):
        runner.run([prediction.pk])

    assert now(version).status == "published"
    # Its lease ends, and the next attempt asks again.
    assert now(prediction).status == "processing"


def test_a_full_disk_keeps_no_copy_and_breaks_nothing(
    alice: User, object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = make_version()
    object_store.put(address(version.artifact_md5), path_of(version).read_bytes())
    remove(version)

    def refuse(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    prediction = make_prediction(alice, model="toy")

    runner.run([prediction.pk])

    assert now(prediction).status == "succeeded"
    assert list(path_of(version).parent.iterdir()) == []


def test_new_work_for_a_broken_version_is_refused_in_clear_words(
    alice: User, api: Callable[[User], APIClient]
) -> None:
    version = make_version()
    break_version(version_id=version.pk, reason="gone")
    body = {"model": "toy", "input": version.example}

    answers = [
        api(alice).post(path, body, format="json")
        for path in ("/api/v1/predictions", "/api/v1/quotes")
    ]

    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (503, "version_broken")
        assert answer["Retry-After"] == "60"
    assert not Prediction.objects.exists()


def test_the_page_of_a_broken_model_still_opens(
    alice: User, page: Callable[[User], Client]
) -> None:
    break_version(version_id=make_version().pk, reason="gone")

    assert page(alice).get("/models/toy").status_code == 200


def test_a_broken_version_serves_again_once_its_bytes_are_right(alice: User) -> None:
    version = make_version()
    whole = path_of(version).read_bytes()
    put_a_canary(version)
    runner.run([make_prediction(alice, model="toy").pk])
    broken = now(version)

    with pytest.raises(ArtifactCorrupt):
        check_again(version=broken)
    write(version, whole)
    check_again(version=broken)

    assert (now(version).status, version.broken_reason, version.broken_at) == (
        "published",
        "",
        None,
    )
    prediction = make_prediction(alice, model="toy")
    runner.run([prediction.pk])
    assert now(prediction).status == "succeeded"
    assert not Canary.sang()


def test_what_is_not_broken_is_not_checked_again(db: None) -> None:
    with pytest.raises(VersionNotBroken):
        check_again(version=make_version())


def test_a_version_breaks_once_and_a_retired_one_stays_retired(db: None) -> None:
    second, first = make_version(), make_foreign_version(price=9, artifact=make_artifact(b"other"))
    retire_version(version=first)

    news = [break_version(version_id=one.pk, reason="gone") for one in (first, second, second)]

    assert news == [False, True, False]
    assert now(first).status == "retired"


def test_a_broken_version_is_not_made_stable_and_may_be_retired(db: None) -> None:
    _, first = make_version(), make_foreign_version(artifact=make_artifact(b"other"))
    break_version(version_id=first.pk, reason="gone")

    with pytest.raises(VersionBroken):
        promote(version=first)
    retire_version(version=first)

    assert (now(first).status, first.broken_at) == ("retired", None)


def test_the_operator_sees_why_and_has_it_checked(
    staff: User, page: Callable[[User], Client]
) -> None:
    version = make_version()
    remove(version)
    with pytest.raises(ArtifactMissing):
        artifacts.verified(version.artifact)
    break_version(version_id=version.pk, reason="The bytes went missing.")
    forget_found_versions()
    client = page(staff)
    address = "/admin/ml_models/modelversion/"

    shown = client.get(f"{address}{version.pk}/change/").content.decode()
    act = {"action": "check_artifact", "_selected_action": [version.pk]}
    refused = client.post(address, act, follow=True).content.decode()
    make_artifact()
    client.post(address, act, follow=True)

    assert "The bytes went missing." in shown
    assert "no remote is set" in refused
    assert now(version).status == "published"
