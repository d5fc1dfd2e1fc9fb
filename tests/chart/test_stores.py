"""What the small stores of an evaluation need to start on a root that nobody writes to."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.chart.rendering import ROOT, pods

SCRIPT = ROOT / "deploy" / "postgres" / "create_role.sh"


def environment(store: str) -> dict[str, Any]:
    [container] = pods("dev", "StatefulSet")[store]["containers"]
    return {one["name"]: one.get("value", "a password") for one in container["env"]}


def made_role(folder: Path, env: dict[str, Any]) -> "subprocess.CompletedProcess[str]":
    """Run the script with a psql that only says how it was called."""
    psql = folder / "psql"
    psql.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    psql.chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    return subprocess.run(
        ["sh", str(SCRIPT)], env={**env, "PATH": path}, capture_output=True, text=True
    )


def test_the_applications_role_has_the_password_that_the_chart_gives(tmp_path: Path) -> None:
    done = made_role(tmp_path, environment("postgres"))

    assert done.returncode == 0, done.stderr
    assert "password=a password" in done.stdout.splitlines()


def test_no_role_is_made_without_a_password(tmp_path: Path) -> None:
    env = environment("postgres")
    del env["DATABASE_PASSWORD"]

    done = made_role(tmp_path, env)

    assert done.returncode != 0
    assert done.stdout == ""


@pytest.mark.parametrize(("store", "name"), [("minio", "HOME"), ("rabbitmq", "RABBITMQ_LOG_BASE")])
def test_a_store_writes_beside_its_data_only_where_it_may(store: str, name: str) -> None:
    pod = pods("dev", "StatefulSet")[store]
    [container] = pod["containers"]

    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert environment(store)[name] in {one["mountPath"] for one in container["volumeMounts"]}
