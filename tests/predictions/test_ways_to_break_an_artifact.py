"""Goal: however an artifact is broken, nothing of it runs, the version says what is wrong, and
whoever asked gets the money back.

Method: each way breaks one model's artifact and no other; the runner then does what a worker
does, until the prediction has ended. The S3 server is a real one; those that misbehave are not.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import sklearn
import skops.io
from django.db import connection
from pytest_django import Settings
from sklearn import base
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from accounts.models import User
from billing.models import Wallet
from ml_models import artifacts, copies, inference
from ml_models.errors import ArtifactUnavailable
from ml_models.fetching import address, ask_again
from ml_models.formats import skops_from
from ml_models.models import ModelVersion
from ml_models.selectors import version_by_id
from mlservice.audit import run_checks
from predictions import runner
from predictions.models import Prediction
from predictions.reaping import fail_exhausted, return_expired_leases
from tests.conftest import make_prediction
from tests.ml_models.builders import (
    dumped,
    make_artifact,
    make_estimator,
    make_foreign_version,
    make_version,
)
from tests.rclone import Bucket, be_the_remote, bucket, s3_address
from tests.rude_servers import Behaviour, answer, cut_off, drip, hang, serving

__all__ = ["bucket", "s3_address"]

RIGHT = dumped(make_estimator())
OTHER = dumped(make_estimator(slope=3.0))
WEB_PAGE = b"<html><body>Sign in to the network</body></html>"
KINDS = {"type": "string", "title": "Kind", "enum": ["long", "short"]}


@dataclass
class Canary:
    """What runs a command of the system wherever it is unpickled."""

    mark: Path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.mark),)


class Odd(LinearRegression):  # type: ignore[misc]
    """An estimator that answers as it was told, if it was told so, and raises if not."""

    def __init__(self, answers: Any = None) -> None:
        self.answers = answers

    def predict(self, features: Any) -> Any:
        if self.answers is None:
            raise ZeroDivisionError("an odd estimator")
        return np.asarray(self.answers)


@dataclass
class Scene:
    """One model of which something is broken: in the store, the cache, the remote or itself."""

    canary: Path
    bucket: Bucket
    settings: Settings
    monkeypatch: pytest.MonkeyPatch
    servers: ExitStack
    version: ModelVersion | None = None

    @property
    def md5(self) -> str:
        return self.publish().artifact_md5

    @property
    def stored(self) -> Path:
        return artifacts.stored_path(self.md5)

    def publish(self, content: bytes = RIGHT, **changes: Any) -> ModelVersion:
        """Publish the model, by default with right bytes that lie in the store, once."""
        if self.version is None:
            facts = {"sklearn_version": sklearn.__version__, "format": "joblib"}
            described = {name: changes.pop(name, facts[name]) for name in facts}
            artifact = make_artifact(content, **described)
            for name in ("sha256", "size"):
                artifact = replace(artifact, **{name: changes.pop(name, getattr(artifact, name))})
            self.version = make_foreign_version(artifact=artifact, **changes)
        return self.version

    def in_store(self, content: bytes) -> None:
        self.stored.chmod(0o644)
        self.stored.write_bytes(content)

    def in_cache(self, content: bytes) -> None:
        """Let the bytes be the only ones: a copy that was once fetched."""
        self.stored.unlink()
        copies.folder().mkdir()
        copies.path_of(self.md5).write_bytes(content)

    def in_remote(self, content: bytes | None) -> None:
        """Let the remote, in which DVC would have put the right ones, be all there is."""
        self.stored.unlink()
        if content is not None:
            self.bucket.put(address(self.md5), content)
        be_the_remote(self.bucket, self.settings, self.monkeypatch)

    def at(self, endpoint: str) -> None:
        self.in_remote(None)
        self.settings.MODEL_REMOTE_ENDPOINT_URL = endpoint


@pytest.fixture
def scene(
    settings: Settings, tmp_path: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Scene]:
    settings.MODEL_STORE_DIR = str(tmp_path / "store")
    settings.MODEL_REMOTE_BUCKET = ""
    settings.MODEL_FETCH_SECONDS = 25
    inference.unload()
    version_by_id.cache_clear()
    with ExitStack() as servers:
        yield Scene(tmp_path / "canary", bucket, settings, monkeypatch, servers)
    inference.unload()
    version_by_id.cache_clear()


def malicious(scene: Scene, *, compress: int = 0, size: int = 0) -> bytes:
    content = BytesIO()
    joblib.dump(Canary(scene.canary), content, compress=compress)
    return content.getvalue().ljust(size, b"\0")


def malicious_skops(scene: Scene) -> bytes:
    command = {"command": f"mkdir {scene.canary}"}
    return bytes(skops.io.dumps(make_pipeline(FunctionTransformer(os.system, kw_args=command))))


def one_bit_flipped(content: bytes) -> bytes:
    flipped = bytearray(content)
    flipped[len(flipped) // 2] ^= 1
    return bytes(flipped)


def by_another_scikit_learn(scene: Scene) -> bytes:
    with scene.monkeypatch.context() as past:
        past.setattr(base, "__version__", "0.24.2")
        return dumped(make_estimator())


def of_a_missing_module() -> bytes:
    return RIGHT.replace(b"sklearn.linear_model._base", b"sklearn.linear_model._gone")


def put_a_folder(scene: Scene) -> None:
    scene.stored.unlink()
    scene.stored.mkdir()


def link(scene: Scene, target: str) -> None:
    scene.stored.unlink()
    scene.stored.symlink_to(target)


def keep_waiting(scene: Scene, behave: Behaviour) -> None:
    scene.settings.MODEL_FETCH_SECONDS = 1
    serve(scene, behave)


def serve(scene: Scene, behave: Behaviour) -> None:
    scene.at(scene.servers.enter_context(serving(behave)))


def lose_the_bucket(scene: Scene) -> None:
    scene.in_remote(RIGHT)
    scene.settings.MODEL_REMOTE_BUCKET = "no-such-bucket"


def lose_the_key(scene: Scene) -> None:
    scene.in_remote(RIGHT)
    scene.monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another one")


def classify(scene: Scene, labels: list[str]) -> None:
    scene.publish(dumped(Odd(labels)), output_schema=KINDS)


Way = Callable[[Scene], Any]

# By name: how it is done, and what the version then says.
BROKEN: dict[str, tuple[Way, str]] = {
    # In the store, with no remote to ask instead.
    "emptied": (lambda it: it.in_store(b""), "601 were published, and there are 0"),
    "cut to half": (lambda it: it.in_store(RIGHT[:300]), "there are 300"),
    "last byte missing": (lambda it: it.in_store(RIGHT[:-1]), "there are 600"),
    "bytes appended": (lambda it: it.in_store(RIGHT + b"\0"), "there are more"),
    "one bit flipped": (lambda it: it.in_store(one_bit_flipped(RIGHT)), "digest differs"),
    "another valid artifact": (lambda it: it.in_store(OTHER), "not the published ones"),
    "a web page": (lambda it: it.in_store(WEB_PAGE), "not the published ones"),
    "malicious": (lambda it: it.in_store(malicious(it)), "not the published ones"),
    "malicious, compressed": (
        lambda it: it.in_store(malicious(it, compress=3)),
        "not the published ones",
    ),
    "malicious, of the right size": (
        lambda it: it.in_store(malicious(it, size=len(RIGHT))),
        "digest differs",
    ),
    "removed": (lambda it: it.stored.unlink(), "no remote is set"),
    "a dangling link": (lambda it: link(it, "nowhere"), "no remote is set"),
    "a folder": (put_a_folder, "There is a folder"),
    # In the cache.
    "copy cut to half": (lambda it: it.in_cache(RIGHT[:300]), "there are 300"),
    "copy malicious": (lambda it: it.in_cache(malicious(it)), "not the published ones"),
    "copy malicious, compressed": (
        lambda it: it.in_cache(malicious(it, compress=9)),
        "not the published ones",
    ),
    # In the remote.
    "object missing": (lambda it: it.in_remote(None), "The remote has no"),
    "object emptied": (lambda it: it.in_remote(b""), "there are 0"),
    "object cut to half": (lambda it: it.in_remote(RIGHT[:300]), "there are 300"),
    "object too large": (lambda it: it.in_remote(RIGHT + bytes(9_000)), "there are more"),
    "object flipped": (lambda it: it.in_remote(one_bit_flipped(RIGHT)), "digest differs"),
    "object malicious": (lambda it: it.in_remote(malicious(it)), "not the published ones"),
    "object malicious, compressed": (
        lambda it: it.in_remote(malicious(it, compress=3)),
        "not the published ones",
    ),
    "a web page for an object": (lambda it: serve(it, answer(WEB_PAGE)), "there are 48"),
    # In what was published.
    "another digest": (lambda it: it.publish(sha256="0" * 64), "digest differs"),
    "another size": (lambda it: it.publish(size=602), "602 were published"),
    "another scikit-learn": (
        lambda it: it.publish(sklearn_version="0.24.2"),
        r"made by scikit-learn 0\.24\.2",
    ),
    "another format": (lambda it: it.publish(format="skops"), "cannot be loaded"),
    "another scikit-learn inside": (
        lambda it: it.publish(by_another_scikit_learn(it)),
        "InconsistentVersionWarning",
    ),
    "no pickle": (lambda it: it.publish(b"no pickle at all"), "cannot be loaded"),
    "half a pickle": (lambda it: it.publish(RIGHT[:300]), "cannot be loaded"),
    "a module that is gone": (lambda it: it.publish(of_a_missing_module()), "ModuleNotFoundError"),
    "no estimator": (lambda it: it.publish(dumped({"a": 1})), "holds no estimator: .* dict"),
    "a class": (lambda it: it.publish(dumped(LinearRegression)), "holds no estimator"),
    "skops of a stranger": (
        lambda it: it.publish(skops_from(Odd()), format="skops"),
        "UntrustedTypesFoundException.*Odd",
    ),
    "skops with a command": (
        lambda it: it.publish(malicious_skops(it), format="skops"),
        "UntrustedTypesFoundException.*system",
    ),
}

# What may come back: by name how it is done, and what the worker's log then says.
AWAY: dict[str, tuple[Way, str]] = {
    "cannot be read": (lambda it: link(it, "/proc/self/mem"), "store cannot be read"),
    "bucket missing": (lose_the_bucket, "NoSuchBucket"),
    "access denied": (lose_the_key, "SignatureDoesNotMatch"),
    "remote dead": (lambda it: it.at("http://127.0.0.1:9"), "Could not connect"),
    "remote overloaded": (
        lambda it: serve(it, answer(WEB_PAGE, status="503 Service Unavailable")),
        "503",
    ),
    "remote silent": (lambda it: keep_waiting(it, hang), "within 1 seconds"),
    "remote drips": (lambda it: keep_waiting(it, drip), "within 1 seconds"),
    "connection cut half-way": (
        lambda it: serve(it, cut_off(RIGHT)),
        "300 read, but total bytes expected is 601",
    ),
}

# What only shows when it is asked: by name how it is done, and the prediction's code.
ODD: dict[str, tuple[Way, str]] = {
    "raises": (lambda it: it.publish(dumped(Odd())), "prediction_failed"),
    "no answers": (lambda it: it.publish(dumped(Odd([]))), "prediction_failed"),
    "an answer too many": (lambda it: it.publish(dumped(Odd([1.0, 2.0]))), "prediction_failed"),
    "words for numbers": (lambda it: it.publish(dumped(Odd(["dear"]))), "prediction_failed"),
    "no finite number": (lambda it: it.publish(dumped(Odd([np.nan]))), "non_finite_prediction"),
    "no labels": (lambda it: classify(it, []), "prediction_failed"),
    "a label too many": (lambda it: classify(it, ["long", "short"]), "prediction_failed"),
}


@pytest.fixture
def good(scene: Scene) -> ModelVersion:
    return make_version(slug="good", artifact=make_artifact(OTHER), price=1)


def let_lease_end(prediction: Prediction) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE predictions_prediction SET lease_expires_at = now() - interval '1 s' "
            "WHERE id = %s",
            [prediction.pk],
        )


def assert_it_was_released(failed: Prediction, code: str, scene: Scene) -> None:
    failed.refresh_from_db()
    assert (failed.status, failed.error_code, failed.cost) == ("failed", code, 0)
    assert failed.hold.status == "released"
    assert "charged" in failed.error
    assert not scene.canary.exists()


def assert_the_other_model_serves(alice: User) -> None:
    serving = make_prediction(alice, model="good")
    runner.run([serving.pk])
    serving.refresh_from_db()
    assert (serving.status, serving.cost) == ("succeeded", 1)
    wallet = Wallet.objects.get(user=alice)
    assert (wallet.balance, wallet.held) == (999, 0)
    assert set(run_checks().values()) == {0}


@pytest.mark.parametrize("written", [{}, {"compress": 3}, {"size": len(RIGHT)}])
def test_the_canary_sings_for_whoever_opens_it(scene: Scene, written: dict[str, int]) -> None:
    joblib.load(BytesIO(malicious(scene, **written)))

    assert scene.canary.exists()


@pytest.mark.parametrize("name", BROKEN)
def test_a_way_to_break_it_for_good(
    alice: User, scene: Scene, good: ModelVersion, name: str
) -> None:
    break_it, reason = BROKEN[name]
    break_it(scene)
    version = scene.publish()
    prediction = make_prediction(alice, model="toy")

    runner.run([prediction.pk])

    version.refresh_from_db()
    assert version.status == "broken"
    assert re.search(reason, version.broken_reason), version.broken_reason
    assert_it_was_released(prediction, "version_broken", scene)
    assert_the_other_model_serves(alice)


@pytest.mark.parametrize("name", AWAY)
def test_a_way_that_may_mend_itself(
    alice: User, scene: Scene, good: ModelVersion, name: str
) -> None:
    """It is tried as often as one may, and the version is not blamed."""
    take_away, reason = AWAY[name]
    take_away(scene)
    version = scene.publish()
    prediction = make_prediction(alice, model="toy")

    for _ in range(3):
        with pytest.raises(ArtifactUnavailable) as raised:
            runner.run([prediction.pk])
        assert re.search(reason, str(raised.value.detail)), raised.value.detail
        let_lease_end(prediction)
        return_expired_leases()
    fail_exhausted()

    version.refresh_from_db()
    assert version.status == "published"
    assert_it_was_released(prediction, "attempts_exhausted", scene)
    assert_the_other_model_serves(alice)


@pytest.mark.parametrize("name", ODD)
def test_an_estimator_that_answers_oddly_fails_what_asked_it(
    alice: User, scene: Scene, good: ModelVersion, name: str
) -> None:
    publish, code = ODD[name]
    publish(scene)
    version = scene.publish()
    prediction = make_prediction(alice, model="toy")

    runner.run([prediction.pk])

    version.refresh_from_db()
    assert version.status == "published"
    assert_it_was_released(prediction, code, scene)
    assert_the_other_model_serves(alice)


def test_what_was_away_is_served_as_soon_as_it_is_back(alice: User, scene: Scene) -> None:
    lose_the_bucket(scene)
    prediction = make_prediction(alice, model="toy")
    with pytest.raises(ArtifactUnavailable):
        runner.run([prediction.pk])

    scene.settings.MODEL_REMOTE_BUCKET = scene.bucket.name
    ask_again()
    let_lease_end(prediction)
    return_expired_leases()
    runner.run([prediction.pk])

    prediction.refresh_from_db()
    assert (prediction.status, prediction.attempt) == ("succeeded", 2)
