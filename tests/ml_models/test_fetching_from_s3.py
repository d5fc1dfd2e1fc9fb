"""Goal: a worker without DVC gets what `dvc push` put there, from a real S3 server or not at all.

Whatever the server, the disk and other processes do, a copy is whole and a fetch has an end.
"""

import multiprocessing
import os
import resource
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from pytest_django import Settings

from ml_models import artifacts, copies, fetching, inference
from ml_models.errors import ArtifactCorrupt, ArtifactMissing, ArtifactUnavailable
from ml_models.fetching import address
from ml_models.models import Artifact
from ml_models.releases import describe_artifact
from tests.ml_models.builders import dumped, make_artifact, make_estimator, make_version
from tests.rclone import Bucket, bucket, remote, s3_address
from tests.rude_servers import Behaviour, cut_off, drip, drip_headers, hang, serving

__all__ = ["bucket", "remote", "s3_address"]

CONTENT = dumped(make_estimator())
ARTIFACT = describe_artifact(CONTENT, "1")
MB = 1_048_576
# What ending a process and a busy machine may add to a fetch's time.
GRACE_SECONDS = 2
FORK = multiprocessing.get_context("fork")


@pytest.fixture
def pushed(remote: Bucket) -> Bucket:
    remote.put(address(ARTIFACT.md5), CONTENT)
    return remote


def push(remote: Bucket, content: bytes) -> Artifact:
    artifact = describe_artifact(content, "1")
    remote.put(address(artifact.md5), content)
    return artifact


def toy(slope: float) -> Artifact:
    return make_artifact(dumped(make_estimator(slope=slope)))


def files(store: Path) -> set[str]:
    return {str(path.relative_to(store)) for path in store.rglob("*") if path.is_file()}


def plant(content: bytes, name: str = ARTIFACT.md5) -> Path:
    path = copies.path_of(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@contextmanager
def child(work: Callable[[], object]) -> Iterator[multiprocessing.process.BaseProcess]:
    """Do the work in a process of its own, which is killed in the end if it still runs."""
    process = FORK.Process(target=work, daemon=True)
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()


@contextmanager
def counting(target: str) -> Iterator[tuple[str, list[socket.socket]]]:
    """Pass every connection on to the server; give the address to use and the connections."""
    host, port = target.removeprefix("http://").split(":")
    seen: list[socket.socket] = []

    def forward(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(65_536):
                sink.sendall(piece)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def relay(connection: socket.socket) -> None:
        seen.append(connection)
        with socket.create_connection((host, int(port))) as server:
            back = threading.Thread(target=forward, args=(server, connection), daemon=True)
            back.start()
            forward(connection, server)
            back.join(timeout=10)

    with serving(relay) as through:
        yield through, seen


def test_an_artifact_comes_from_the_bucket_and_stays_as_a_copy(pushed: Bucket, store: Path) -> None:
    assert artifacts.read_artifact(ARTIFACT) == CONTENT
    pushed.delete(address(ARTIFACT.md5))
    assert artifacts.read_artifact(ARTIFACT) == CONTENT

    assert files(store) == {f"fetched/{ARTIFACT.md5}"}


def test_an_object_of_other_bytes_is_refused_and_not_kept(remote: Bucket, store: Path) -> None:
    remote.put(address(ARTIFACT.md5), CONTENT[:-1] + b"?")

    with pytest.raises(ArtifactCorrupt, match="digest"):
        artifacts.read_artifact(ARTIFACT)

    assert files(store) == set()


def test_of_an_object_that_is_too_long_no_more_is_taken_than_shows_it(remote: Bucket) -> None:
    remote.put(address(ARTIFACT.md5), CONTENT + bytes(5 * MB))

    with pytest.raises(ArtifactCorrupt, match=f"{ARTIFACT.size} were published"):
        artifacts.read_artifact(ARTIFACT)

    assert len(fetching.fetch(ARTIFACT, seconds=10)) == ARTIFACT.size + 1


def test_an_object_that_is_not_there_is_missing(remote: Bucket) -> None:
    with pytest.raises(ArtifactMissing, match=ARTIFACT.md5):
        artifacts.read_artifact(ARTIFACT)


def test_a_bucket_that_is_not_there_is_a_wrong_setting(pushed: Bucket, settings: Settings) -> None:
    settings.MODEL_REMOTE_BUCKET = "no-such-bucket"

    with pytest.raises(ArtifactUnavailable, match="NoSuchBucket"):
        artifacts.read_artifact(ARTIFACT)


def test_a_wrong_secret_is_refused_by_the_server(
    pushed: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another one")

    with pytest.raises(ArtifactUnavailable, match="SignatureDoesNotMatch"):
        artifacts.read_artifact(ARTIFACT)


def test_a_dead_server_is_given_up_at_once_and_not_asked_again_for_a_while(
    pushed: Bucket, settings: Settings
) -> None:
    living, settings.MODEL_REMOTE_ENDPOINT_URL = pushed.address, "http://127.0.0.1:9"
    began = time.monotonic()

    with pytest.raises(ArtifactUnavailable, match="Could not connect"):
        artifacts.read_artifact(ARTIFACT)
    seconds = time.monotonic() - began
    settings.MODEL_REMOTE_ENDPOINT_URL = living
    with pytest.raises(ArtifactUnavailable, match="Could not connect"):
        artifacts.read_artifact(ARTIFACT)
    fetching.Pause.until -= fetching.PAUSE_SECONDS

    assert artifacts.read_artifact(ARTIFACT) == CONTENT
    assert seconds < settings.MODEL_FETCH_SECONDS / 2


@pytest.mark.parametrize("behave", [hang, drip, drip_headers])
def test_a_server_that_keeps_one_waiting_is_left_in_time(
    remote: Bucket, settings: Settings, behave: Behaviour
) -> None:
    settings.MODEL_FETCH_SECONDS = 1.5
    began = time.monotonic()

    with (
        serving(behave) as settings.MODEL_REMOTE_ENDPOINT_URL,
        pytest.raises(ArtifactUnavailable, match=r"within 1\.5 seconds"),
    ):
        artifacts.read_artifact(ARTIFACT)

    assert time.monotonic() - began < settings.MODEL_FETCH_SECONDS + GRACE_SECONDS


@pytest.mark.django_db
def test_a_starting_worker_waits_once_for_a_remote_that_is_away_not_once_a_model(
    remote: Bucket, settings: Settings, store: Path
) -> None:
    inference.unload()
    several = [make_version(slug=f"toy-{slope}", artifact=toy(slope)) for slope in range(2, 8)]
    shutil.rmtree(store)
    settings.MODEL_FETCH_SECONDS = 1.5
    began = time.monotonic()

    with serving(drip) as settings.MODEL_REMOTE_ENDPOINT_URL:
        inference.preload(several)

    assert time.monotonic() - began < settings.MODEL_FETCH_SECONDS + GRACE_SECONDS


def test_a_connection_cut_half_way_gives_no_half_artifact(
    remote: Bucket, settings: Settings, store: Path
) -> None:
    with (
        serving(cut_off(CONTENT)) as settings.MODEL_REMOTE_ENDPOINT_URL,
        pytest.raises(ArtifactUnavailable, match="300 read, but total bytes expected is 601"),
    ):
        artifacts.read_artifact(ARTIFACT)

    assert files(store) == set()


@pytest.mark.parametrize("content", [b"", CONTENT[:-1], b"?" * len(CONTENT)])
def test_a_copy_that_is_not_whole_is_fetched_again(pushed: Bucket, content: bytes) -> None:
    copy = plant(content)

    assert artifacts.read_artifact(ARTIFACT) == CONTENT

    assert copy.read_bytes() == CONTENT


def test_what_killed_processes_left_is_cleared_away(pushed: Bucket, store: Path) -> None:
    plant(CONTENT[:50], ARTIFACT.md5 + copies.PART)
    plant(b"half", "0" * 32 + copies.PART)

    assert artifacts.read_artifact(ARTIFACT) == CONTENT

    assert files(store) == {f"fetched/{ARTIFACT.md5}"}


def test_the_turn_of_a_killed_process_ends_with_it(pushed: Bucket, store: Path) -> None:
    def fetch_for_ever() -> None:
        with copies.turn_to_fetch(ARTIFACT.md5, until=time.monotonic()):
            plant(b"begun", "begun")
            signal.pause()

    with child(fetch_for_ever):
        while not copies.path_of("begun").exists():
            time.sleep(0.01)
    copies.path_of("begun").unlink()
    assert files(store) == {f"fetched/{ARTIFACT.md5}{copies.PART}"}

    assert artifacts.read_artifact(ARTIFACT) == CONTENT
    assert files(store) == {f"fetched/{ARTIFACT.md5}"}


def test_who_waits_for_a_process_that_stands_still_waits_in_vain_but_not_for_ever(
    pushed: Bucket, settings: Settings
) -> None:
    usual, settings.MODEL_FETCH_SECONDS = settings.MODEL_FETCH_SECONDS, 0.5

    with copies.turn_to_fetch(ARTIFACT.md5, until=time.monotonic()):
        began = time.monotonic()
        with pytest.raises(ArtifactUnavailable, match="Another process"):
            artifacts.read_artifact(ARTIFACT)

    assert time.monotonic() - began < settings.MODEL_FETCH_SECONDS + GRACE_SECONDS
    settings.MODEL_FETCH_SECONDS = usual
    assert artifacts.read_artifact(ARTIFACT) == CONTENT


def test_of_eight_processes_at_once_one_fetches_and_all_have_it(
    remote: Bucket, settings: Settings, store: Path, tmp_path: Path
) -> None:
    content = os.urandom(4 * MB)
    artifact = push(remote, content)
    start = FORK.Barrier(8)

    def work(number: int) -> None:
        start.wait()
        is_whole = artifacts.read_artifact(artifact) == content
        (tmp_path / f"{number}.{is_whole}").touch()

    with counting(remote.address) as (through, connections):
        settings.MODEL_REMOTE_ENDPOINT_URL = through
        workers = [FORK.Process(target=work, args=(number,)) for number in range(8)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    assert {path.name for path in tmp_path.glob("*.*")} == {f"{n}.True" for n in range(8)}
    assert len(connections) == 1
    assert files(store) == {f"fetched/{artifact.md5}"}


def test_the_least_recently_used_copy_goes_and_is_fetched_again(
    remote: Bucket, settings: Settings
) -> None:
    settings.MODEL_CACHE_MB = 3
    first, second, third = (push(remote, os.urandom(MB)) for _ in range(3))
    fourth = push(remote, os.urandom(MB))
    for artifact in (first, second, third):
        artifacts.read_artifact(artifact)
    artifacts.read_artifact(first)

    with copies.path_of(second.md5).open("rb") as being_read:
        artifacts.read_artifact(fourth)
        is_whole = artifacts.checked(being_read.read(), second)

    kept = {path.name for path in copies.folder().iterdir()}
    assert kept == {first.md5, third.md5, fourth.md5}
    assert is_whole
    assert artifacts.read_artifact(second)
    assert {path.name for path in copies.folder().iterdir()} == {second.md5, first.md5, fourth.md5}


def test_copies_of_many_processes_stay_within_the_bound(remote: Bucket, settings: Settings) -> None:
    settings.MODEL_CACHE_MB = 2
    several = [push(remote, os.urandom(MB)) for _ in range(6)]
    workers = [FORK.Process(target=artifacts.read_artifact, args=(one,)) for one in several]

    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert [worker.exitcode for worker in workers] == [0] * 6
    assert sum(path.stat().st_size for path in copies.folder().iterdir()) == 2 * MB


def test_an_artifact_larger_than_the_cache_is_used_and_displaces_nothing(
    remote: Bucket, settings: Settings, store: Path
) -> None:
    settings.MODEL_CACHE_MB = 1
    small, large = push(remote, os.urandom(MB // 2)), push(remote, os.urandom(2 * MB))
    artifacts.read_artifact(small)

    assert len(artifacts.read_artifact(large)) == 2 * MB

    assert files(store) == {f"fetched/{small.md5}"}


def test_what_was_published_here_or_is_dvcs_own_is_never_removed(
    pushed: Bucket, settings: Settings, store: Path
) -> None:
    settings.MODEL_CACHE_MB = 0
    own = describe_artifact(b"trained here, and nowhere else", "1")
    artifacts.keep(b"trained here, and nowhere else", artifacts.stored_path(own.md5))

    assert artifacts.read_artifact(ARTIFACT) == CONTENT

    assert files(store) == {address(own.md5)}


def test_a_folder_that_cannot_be_written_costs_the_copy_alone(
    pushed: Bucket, settings: Settings
) -> None:
    # Nobody makes a folder there, whatever his rights.
    settings.MODEL_STORE_DIR = "/proc/models"

    assert artifacts.read_artifact(ARTIFACT) == CONTENT


def test_a_disk_that_fills_up_costs_the_copy_alone_and_keeps_no_part(
    remote: Bucket, store: Path
) -> None:
    artifact = push(remote, os.urandom(MB))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    resource.setrlimit(resource.RLIMIT_FSIZE, (MB // 2, hard))
    try:
        assert artifacts.read_artifact(artifact)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)

    assert files(store) == set()


@pytest.mark.django_db
def test_who_has_loaded_a_version_goes_on_when_the_cache_is_deleted(
    remote: Bucket, store: Path
) -> None:
    inference.unload()
    version = make_version()
    remote.put(
        address(version.artifact_md5), artifacts.stored_path(version.artifact_md5).read_bytes()
    )
    rows = [[3.0, 1.0]]
    before = inference.predict(version=version, rows=rows)

    shutil.rmtree(store)
    meanwhile = inference.predict(version=version, rows=rows)
    inference.unload()
    after = inference.predict(version=version, rows=rows)

    assert before == meanwhile == after == [pytest.approx(7.0)]
    assert files(store) == {f"fetched/{version.artifact_md5}"}
