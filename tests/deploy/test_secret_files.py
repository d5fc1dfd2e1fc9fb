"""Secrets that are files: read once, put where they are named, and never over what is said."""

import os
from pathlib import Path

import pytest

from deploy.secret_files import ADDRESSES, SECRETS, read_secret_files


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*SECRETS, *ADDRESSES):
        # Set first, so that what is read here is put away again.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


@pytest.fixture
def give(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> "Give":
    return Give(monkeypatch, tmp_path)


class Give:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.monkeypatch, self.folder = monkeypatch, folder

    def __call__(self, name: str, value: str) -> None:
        (self.folder / name).write_text(value)
        self.monkeypatch.setenv(f"{name}_FILE", str(self.folder / name))


def test_a_secret_is_read_from_its_file(give: Give) -> None:
    give("SECRET_KEY", "of-the-file\n")

    read_secret_files()

    assert os.environ["SECRET_KEY"] == "of-the-file"


def test_what_the_environment_says_wins(give: Give, monkeypatch: pytest.MonkeyPatch) -> None:
    give("SECRET_KEY", "of-the-file")
    monkeypatch.setenv("SECRET_KEY", "said")

    read_secret_files()

    assert os.environ["SECRET_KEY"] == "said"


def test_an_address_takes_its_password_in_as_an_address_writes_it(
    give: Give, monkeypatch: pytest.MonkeyPatch
) -> None:
    give("DATABASE_PASSWORD", "a/b@c:${d}")
    monkeypatch.setenv("DATABASE_URL", "postgresql://app:${DATABASE_PASSWORD}@postgres/mlservice")

    read_secret_files()

    assert os.environ["DATABASE_URL"] == (
        "postgresql://app:a%2Fb%40c%3A%24%7Bd%7D@postgres/mlservice"
    )


def test_an_address_that_names_what_nobody_gave_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BROKER_URL", "amqp://app:${RABBITMQ_PASSWORD}@rabbitmq//")

    with pytest.raises(KeyError, match="RABBITMQ_PASSWORD"):
        read_secret_files()


def test_a_file_that_is_missing_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METRICS_TOKEN_FILE", "/nowhere/token")

    with pytest.raises(FileNotFoundError):
        read_secret_files()
