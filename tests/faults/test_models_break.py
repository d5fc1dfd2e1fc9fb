"""Rows that kill, artifacts that are wrong, disks that are full: only those who ask for it fail."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.faults.clients import Load
from tests.faults.conftest import LoadMaker
from tests.faults.estimators import ALLOCATE, KILL, SLEEP
from tests.faults.invariants import (
    assert_all_succeeded,
    assert_nothing_lost,
    statuses,
    wait_for_quiet,
)
from tests.faults.publishing import BROKEN, canary_path
from tests.faults.stack import Stack
from tests.ml_models.s3 import serving_objects

MOST_RUNS = 4
ERRORS = "SELECT error_code FROM predictions_prediction WHERE id = ANY(%s::uuid[])"
# What the limit of a task's time adds until it has failed.
OVERRUN_SECONDS = 10
TMPFS_MB = 1


@pytest.fixture(scope="module")
def diary(running: Stack) -> Path:
    """Publish the models of these tests; return the file that one of them writes."""
    diary = running.service.folder / "diary"
    done = running.service.run_python("-m", "tests.faults.publishing", str(diary))
    assert done.returncode == 0, done.stdout + done.stderr
    return diary


def asking(value: float, *, model: str = "marked") -> dict[str, Any]:
    return {"model": model, "input": {"value": value}}


def test_a_row_that_kills_its_process_fails_alone(
    stack: Stack, load: LoadMaker, diary: Path
) -> None:
    """The guard: what was tried before is published alone, and attempts are counted."""
    stack.service.freeze("relay")
    neighbours = load(bodies=[asking(1.0)], per_second=200).send_all()
    poison = load(1, bodies=[asking(KILL)]).send_all()

    stack.service.thaw("relay")
    others = load().send_all()
    wait_for_quiet(stack, neighbours, poison, others)

    assert stack.query(ERRORS, poison.ids) == [("attempts_exhausted",)]
    assert 1 <= len(diary.read_text().splitlines()) <= MOST_RUNS
    assert_nothing_lost(stack, poison)
    assert_all_succeeded(stack, neighbours, others)


@pytest.mark.parametrize(("mark", "code"), [(SLEEP, "timeout"), (ALLOCATE, "out_of_memory")])
def test_a_row_that_takes_too_much_fails_in_time(
    stack: Stack, load: LoadMaker, diary: Path, mark: float, code: str
) -> None:
    """The guard: the limits on a task's time and on a child's memory."""
    limit = int(stack.service.env["PREDICTION_TIME_LIMIT_SECONDS"])

    greedy = load(1, bodies=[asking(mark)]).send_all()
    seconds = wait_for_quiet(stack, greedy)
    others = load().send_all()
    wait_for_quiet(stack, others)

    assert stack.query(ERRORS, greedy.ids) == [(code,)]
    assert seconds < limit + OVERRUN_SECONDS
    assert_nothing_lost(stack, greedy)
    assert_all_succeeded(stack, others)


@pytest.mark.parametrize("slug", BROKEN)
def test_a_spoilt_artifact_breaks_its_version_alone(
    stack: Stack, load: LoadMaker, diary: Path, slug: str
) -> None:
    """The guard: size, digests and version are checked before anything is unpickled."""
    with load() as others:
        asked = load(4, bodies=[asking(1.0, model=slug)], patient=False).send_all()
    wait_for_quiet(stack, others, asked)

    version = """SELECT version.status FROM ml_models_modelversion AS version
                 JOIN ml_models_mlmodel AS model ON model.id = version.model_id
                 WHERE model.slug = %s"""
    assert stack.query(version, slug) == [("broken",)]
    assert asked.ids
    assert statuses(stack, asked.ids) == {"failed": len(asked.ids)}
    assert not canary_path(diary).exists()
    assert all(answer.is_polite_refusal for answer in asked.given_up)
    asked.given_up.clear()
    assert_nothing_lost(stack, open_ended(asked))
    assert_all_succeeded(stack, others)


def test_a_full_disk_under_the_models_stops_nobody(
    workerless: Stack, load: LoadMaker, tmp_path: Path
) -> None:
    """The guard: an artifact that cannot be kept is used all the same, and leaves no part."""
    stack, store = workerless, Path(stack_store(workerless))
    with serving_objects() as (objects, address), tmpfs(tmp_path) as full:
        for artifact in store.glob("files/md5/*/*"):
            objects.put(str(artifact.relative_to(store)), artifact.read_bytes())
        # Both models are fetched as it starts, which a busy machine makes long.
        unhurried = {"PREDICTION_TIME_LIMIT_SECONDS": "30", "PREDICTION_LEASE_SECONDS": "40"}
        stack.alter_worker(MODEL_STORE_DIR=str(full), **credentials(address), **unhurried)

        sent = load().send_all()
        wait_for_quiet(stack, sent)
        kept = [path.stat().st_size for path in full.rglob("*") if path.is_file()]
        stack.end("worker")

    assert "artifact_not_kept" in stack.log_of("worker")
    assert sum(kept) < TMPFS_MB * 1024**2 / 2
    assert_all_succeeded(stack, sent)


def open_ended(load: Load) -> Load:
    load.count = None
    return load


def stack_store(stack: Stack) -> str:
    return stack.service.env["MODEL_STORE_DIR"]


def credentials(address: str) -> dict[str, str]:
    return {
        "S3_BUCKET": "models",
        "S3_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "a key",
        "AWS_SECRET_ACCESS_KEY": "a secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


@contextmanager
def tmpfs(folder: Path) -> Iterator[Path]:
    """Mount a disk of one megabyte; skip where that is not permitted."""
    mounted = ["mount", "-t", "tmpfs", "-o", f"size={TMPFS_MB}m", "tmpfs", str(folder)]
    done = subprocess.run(mounted, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"A small disk cannot be mounted here: {done.stderr}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
