"""Goal: models come from what stands, else from the remote, else from training; never spoilt.

Each checkout is a small one with the project's own script and DVC's configuration, and a
pipeline that is done in a moment; DVC and the S3 server are the real ones.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tests.rclone import Bucket, bucket, s3_address

__all__ = ["bucket", "s3_address"]

ROOT = Path(__file__).resolve().parents[2]
OURS = ("scripts/obtain_models.py", "deploy/__init__.py", "deploy/secret_files.py", ".dvc/config")
MODEL = "ml_models/build/model.txt"
TRAIN = "python -c \"open('ml_models/build/model.txt', 'w').write('what was learnt\\n')\""
CONTENT = b"what was learnt\n"
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
KEY = f"files/md5/{MD5[:2]}/{MD5[2:]}"
PIPELINE = {"stages": {"train": {"wdir": "..", "cmd": TRAIN, "outs": [MODEL]}}}
OUTPUT = {"path": MODEL, "hash": "md5", "md5": MD5, "size": len(CONTENT)}
LOCK = {"schema": "2.0", "stages": {"train": {"cmd": TRAIN, "outs": [OUTPUT]}}}
TRAINED_HERE = "Training the models"


class Checkout:
    """A folder like a fresh clone without git, which knows what others have trained."""

    def __init__(self, folder: Path, bucket: Bucket | None) -> None:
        self.folder = folder
        self.bucket = bucket
        for name in OURS:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
        (folder / MODEL).parent.mkdir(parents=True)
        (folder / "ml_models" / "dvc.yaml").write_text(yaml.safe_dump(PIPELINE))
        (folder / "ml_models" / "dvc.lock").write_text(yaml.safe_dump(LOCK))

    @property
    def environment(self) -> Mapping[str, str]:
        ours = {name: value for name, value in os.environ.items() if "S3_" not in name}
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        return ours | {"PATH": path} | (self.bucket.environment() if self.bucket else {})

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, *command],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def obtain(self) -> str:
        """Run the script as set-up does; return what it said."""
        done = self.run("scripts/obtain_models.py")
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def push(self) -> None:
        done = self.run("-m", "dvc", "push", "--remote", "s3_mlops", "ml_models/dvc.yaml")
        assert done.returncode == 0, done.stdout + done.stderr

    def model(self) -> bytes:
        return (self.folder / MODEL).read_bytes()


@pytest.fixture
def trained(bucket: Bucket, tmp_path: Path) -> Checkout:
    """A checkout that has trained its model and pushed it."""
    checkout = Checkout(tmp_path / "trained", bucket)
    assert TRAINED_HERE in checkout.obtain()
    checkout.push()
    return checkout


def test_what_one_checkout_pushed_another_pulls_and_trains_nothing(
    trained: Checkout, bucket: Bucket, tmp_path: Path
) -> None:
    other = Checkout(tmp_path / "other", bucket)

    said = other.obtain()

    assert said == ""
    assert other.model() == CONTENT
    assert bucket.keys() == {KEY}
    secrets = (other.folder / ".dvc" / "config.local").stat()
    assert secrets.st_mode & 0o777 == 0o600
    assert bucket.secret not in (other.folder / ".dvc" / "config").read_text()
    assert other.obtain() == ""


def test_a_spoilt_object_is_not_taken_for_a_model(
    trained: Checkout, bucket: Bucket, tmp_path: Path
) -> None:
    """The guard: `verify = true`; without it DVC takes the bytes and says all is well."""
    bucket.put(KEY, CONTENT.upper())
    other = Checkout(tmp_path / "other", bucket)

    said = other.obtain()

    assert "training them here instead" in said
    assert other.model() == CONTENT


@pytest.mark.parametrize(
    "wrong",
    [
        {"secret": "another secret"},
        {"name": "no-such-bucket"},
        {"address": "http://127.0.0.1:9"},
    ],
    ids=["secret", "bucket", "dead"],
)
def test_a_remote_that_gives_nothing_is_replaced_by_training(
    bucket: Bucket, tmp_path: Path, wrong: dict[str, str]
) -> None:
    checkout = Checkout(tmp_path / "checkout", replace(bucket, **wrong))

    said = checkout.obtain()

    assert "training them here instead" in said
    assert TRAINED_HERE in said
    assert checkout.model() == CONTENT


def test_what_stands_is_taken_and_can_be_pushed_once_there_is_a_remote(
    bucket: Bucket, tmp_path: Path
) -> None:
    checkout = Checkout(tmp_path / "checkout", None)
    checkout.obtain()
    checkout.bucket = bucket

    said = checkout.obtain()
    checkout.push()

    assert said == ""
    assert bucket.keys() == {KEY}


def test_nothing_is_told_to_anybody() -> None:
    config = (ROOT / ".dvc" / "config").read_text()

    assert "analytics = false" in config
    assert "check_update = false" in config
