"""The Dockerfile, read: what a builder of any age must be able to build, and who it runs as."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
HADOLINT = shutil.which("hadolint", path=TOOLS)


def lines() -> list[str]:
    return (ROOT / "Dockerfile").read_text().splitlines()


@pytest.mark.skipif(HADOLINT is None, reason="hadolint is not installed")
def test_hadolint_finds_nothing() -> None:
    done = subprocess.run(
        [HADOLINT or "", ROOT / "Dockerfile"], capture_output=True, text=True, check=False
    )

    assert done.stdout == ""


def test_the_base_is_a_choice() -> None:
    bases = [line.split()[1] for line in lines() if line.startswith("FROM ")]

    assert set(bases) == {"${BASE}", "packages", "base"}


def test_the_image_that_trains_and_publishes_has_what_serving_lacks() -> None:
    (training,) = [line for line in lines() if "--constraint requirements-local.txt" in line]

    assert training.endswith('"dvc[s3]"')
    assert "pandas" in (ROOT / "requirements.in").read_text().split()


def test_an_old_builder_understands_it() -> None:
    text = "\n".join(lines())

    assert not [word for word in ("--mount", "<<", "--chmod", "--link") if word in text]


def test_the_folder_of_copies_belongs_to_the_user_who_writes_there() -> None:
    assert "    && install --directory --owner 10001 --group 10001 /models" in lines()


def test_both_images_run_as_a_user() -> None:
    users = [line for line in lines() if line.startswith("USER ")]

    assert users == ["USER 10001:10001", "USER 10001:10001"]


def test_the_base_is_pinned() -> None:
    (argument,) = [line for line in lines() if line.startswith("ARG BASE=")]

    assert argument == "ARG BASE=python:3.11-slim-bookworm"


def test_what_serves_has_nothing_to_install_with() -> None:
    assert "python3 -m venv --without-pip /opt/venv" in "\n".join(lines())


def test_the_image_knows_of_every_role_whether_it_is_well() -> None:
    (check,) = [line for line in lines() if line.startswith("HEALTHCHECK")]

    assert check.endswith('CMD ["python", "deploy/health.py"]')
    assert ">/tmp/role" in (ROOT / "deploy" / "role.sh").read_text()
