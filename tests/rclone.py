"""The only place that runs a real S3 server: rclone's, which checks signatures, on a folder."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config
from pytest_django import Settings

from tests.debian.ports import free_port
from tests.exits import end_with_the_parent

RCLONE = Path(sys.executable).with_name("rclone")
READY_SECONDS = 20
KEY, SECRET = "a-key-for-tests", "a-secret-for-tests-only"


@dataclass(frozen=True)
class Bucket:
    """One bucket of a running server, with the key that opens it."""

    address: str
    name: str
    key: str = KEY
    secret: str = SECRET

    def environment(self) -> dict[str, str]:
        return {
            "S3_BUCKET": self.name,
            "S3_ENDPOINT_URL": self.address,
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def client(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.address,
            aws_access_key_id=self.key,
            aws_secret_access_key=self.secret,
            region_name="us-east-1",
            config=Config(retries={"total_max_attempts": 2}),
        )

    def make(self) -> None:
        self.client().create_bucket(Bucket=self.name)

    def put(self, key: str, content: bytes) -> None:
        self.client().put_object(Bucket=self.name, Key=key, Body=content)

    def delete(self, key: str) -> None:
        self.client().delete_object(Bucket=self.name, Key=key)

    def keys(self) -> set[str]:
        listed = self.client().list_objects_v2(Bucket=self.name)
        return {one["Key"] for one in listed.get("Contents", [])}

    def with_secret(self, secret: str) -> "Bucket":
        return replace(self, secret=secret)


def wait_until_it_listens(process: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise TimeoutError(f"rclone does not listen on port {port}.")


@pytest.fixture(scope="session")
def s3_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a folder as S3 on a free port of this machine, until the tests have ended."""
    folder, port = tmp_path_factory.mktemp("s3"), free_port()
    keys = ["--auth-key", f"{KEY},{SECRET}"]
    where = ["--addr", f"127.0.0.1:{port}", "--config", os.devnull, str(folder)]
    process = subprocess.Popen(
        [str(RCLONE), "serve", "s3", "--vfs-cache-mode", "off", *keys, *where],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: end_with_the_parent(signal.SIGKILL),
    )
    try:
        wait_until_it_listens(process, port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=READY_SECONDS)


@pytest.fixture
def bucket(s3_address: str) -> Bucket:
    """A new and empty bucket."""
    made = Bucket(s3_address, f"models-{uuid4().hex[:12]}")
    made.make()
    return made


@pytest.fixture
def remote(bucket: Bucket, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """The bucket as the remote that this process fetches artifacts from."""
    be_the_remote(bucket, settings, monkeypatch)
    return bucket


def be_the_remote(bucket: Bucket, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in bucket.environment().items():
        monkeypatch.setenv(name, value)
    settings.MODEL_REMOTE_BUCKET = bucket.name
    settings.MODEL_REMOTE_ENDPOINT_URL = bucket.address
