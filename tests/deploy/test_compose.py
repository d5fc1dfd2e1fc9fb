"""The compose file, read by the real docker compose; no container is started."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
COMPOSE = shutil.which("docker-compose", path=TOOLS)
SECRETS = (
    "SECRET_KEY",
    "JWT_SIGNING_KEY",
    "DATABASE_PASSWORD",
    "POSTGRES_PASSWORD",
    "RABBITMQ_PASSWORD",
    "S3_SECRET_KEY",
    "MINIO_ROOT_PASSWORD",
)
ONCE = {"migrate", "models", "bucket"}
OURS = {"web", "relay", "worker", "duties", "beat", "migrate", "models"}

pytestmark = pytest.mark.skipif(COMPOSE is None, reason="docker-compose is not installed")


def read(missing: str = "") -> "subprocess.CompletedProcess[str]":
    """Let compose resolve the file with all secrets but the missing one, and nothing of ours."""
    given = {name: f"value-of-{name}" for name in SECRETS if name != missing}
    return subprocess.run(
        [COMPOSE or "", "--env-file", os.devnull, "config", "--format", "json"],
        cwd=ROOT,
        env=given | {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    done = read()
    assert done.returncode == 0, done.stderr
    resolved: dict[str, dict[str, Any]] = json.loads(done.stdout)["services"]
    return resolved


@pytest.mark.parametrize("name", SECRETS)
def test_no_secret_has_a_default(name: str) -> None:
    done = read(missing=name)

    assert done.returncode != 0
    assert f"set {name}" in done.stderr


def test_only_the_proxy_is_published_on_port_80(services: dict[str, dict[str, Any]]) -> None:
    published = {
        name: [port["published"] for port in service["ports"]]
        for name, service in services.items()
        if service.get("ports")
    }

    assert published == {"proxy": ["80"]}


def test_what_lasts_has_a_health_check(services: dict[str, dict[str, Any]]) -> None:
    unchecked = {name for name, service in services.items() if "healthcheck" not in service}

    assert unchecked == ONCE


def test_there_are_two_workers(services: dict[str, dict[str, Any]]) -> None:
    assert services["worker"]["deploy"]["replicas"] == 2


def test_only_the_migration_knows_the_owner_of_the_tables(
    services: dict[str, dict[str, Any]],
) -> None:
    knowing = {
        name
        for name, service in services.items()
        if "value-of-POSTGRES_PASSWORD"
        in json.dumps(service["environment"] if name in OURS else {})
    }

    assert knowing == {"migrate"}


def test_nothing_of_ours_has_more_rights_than_a_user(services: dict[str, dict[str, Any]]) -> None:
    for name in OURS:
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["security_opt"] == ["no-new-privileges:true"]


def test_the_services_key_opens_one_bucket_and_deletes_nothing(
    services: dict[str, dict[str, Any]],
) -> None:
    name = services["worker"]["environment"]["S3_BUCKET"]
    policy = json.loads((ROOT / "deploy" / "minio" / f"{name}.json").read_text())

    allowed = {action for one in policy["Statement"] for action in one["Action"]}
    opened = {resource for one in policy["Statement"] for resource in one["Resource"]}

    assert opened == {f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"}
    assert {"s3:GetObject", "s3:PutObject", "s3:ListBucket"} <= allowed
    assert not [action for action in allowed if "Delete" in action or "*" in action]
    commands = " ".join(services["bucket"]["command"])
    assert f"policy attach store {name} --user mlservice" in commands


@pytest.mark.parametrize("before", [[], ["readwrite"], ["models"], ["models", "readwrite"]])
def test_a_key_of_earlier_loses_the_rights_to_other_buckets(
    services: dict[str, dict[str, Any]], tmp_path: Path, before: list[str]
) -> None:
    done, attached = run_with_policies(services["bucket"], tmp_path, before)

    assert done.returncode == 0, done.stderr
    assert attached == ["models"]


def test_a_key_that_keeps_its_rights_to_other_buckets_is_a_failure(
    services: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    done, _ = run_with_policies(services["bucket"], tmp_path, ["readwrite"], KEEP="readwrite")

    assert done.returncode != 0


# It answers as the real one: what is attached cannot be attached, what is not cannot be detached.
MC = """#!/bin/sh
cd "$(dirname "$0")"
case "$*" in
  *"policy attach store "*) [ ! -e "policy-$5" ] && touch "policy-$5" ;;
  *"policy detach store "*) [ "$5" != "$KEEP" ] && rm "policy-$5" ;;
  *"user info store "*) echo "PolicyName: $(ls | grep ^policy- | tr '\n' ',')" ;;
esac
"""


def run_with_policies(
    bucket: dict[str, Any], folder: Path, before: list[str], **told: str
) -> "tuple[subprocess.CompletedProcess[str], list[str]]":
    """Run the commands with an `mc` that attaches policies; return which are attached then."""
    (folder / "mc").write_text(MC)
    (folder / "mc").chmod(0o755)
    for name in before:
        (folder / f"policy-{name}").touch()
    done = subprocess.run(
        [*bucket["entrypoint"], *(line.replace("$$", "$") for line in bucket["command"])],
        env={"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "S3_SECRET_KEY": "key"} | told,
        capture_output=True,
        text=True,
        check=False,
    )
    return done, sorted(one.name.removeprefix("policy-") for one in folder.glob("policy-*"))


def test_who_loads_models_keeps_their_copies_on_the_disk(
    services: dict[str, dict[str, Any]],
) -> None:
    mounted = {
        name: [(one["source"], one["target"]) for one in services[name].get("volumes", [])]
        for name in OURS
    }

    loading = {"web", "worker"}
    assert {name for name, volumes in mounted.items() if volumes} == loading
    for name in loading:
        assert mounted[name] == [("models", "/models")]
        assert services[name]["environment"]["MODEL_STORE_DIR"] == "/models"
        assert services[name]["read_only"] is True


def test_what_lies_in_memory_is_bounded(services: dict[str, dict[str, Any]]) -> None:
    for name in OURS:
        assert services[name]["tmpfs"] == ["/tmp:size=1g"]


def test_the_models_are_published_before_a_worker_starts(
    services: dict[str, dict[str, Any]],
) -> None:
    done = "service_completed_successfully"

    assert services["models"]["depends_on"]["bucket"]["condition"] == done
    assert services["worker"]["depends_on"]["models"]["condition"] == done


def test_every_role_is_one_the_image_knows(services: dict[str, dict[str, Any]]) -> None:
    script = (ROOT / "deploy" / "role.sh").read_text()

    for name in OURS:
        assert services[name]["command"] == [name]
        assert f"\n  {name})" in script


def test_what_serves_waits_for_the_tables(services: dict[str, dict[str, Any]]) -> None:
    for name in OURS - {"migrate"}:
        waited_for = services[name]["depends_on"]["migrate"]
        assert waited_for["condition"] == "service_completed_successfully"
