"""The compose file, read by the real docker compose; no container is started."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.test_writing_secrets import write_secrets

ROOT = Path(__file__).resolve().parents[2]
TOOLS = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
COMPOSE = shutil.which("docker-compose", path=TOOLS)
CONFIG = ("config", "--format", "json")
ONCE = {"migrate", "models", "bucket", "storage", "demo"}
OURS = {"web", "relay", "worker", "bulk", "duties", "beat", "migrate", "models", "storage", "demo"}
LOADING = {"web", "worker", "bulk"}

pytestmark = pytest.mark.skipif(COMPOSE is None, reason="docker-compose is not installed")


def read(*files: str, **told: str) -> dict[str, Any]:
    """Let compose resolve the files, every profile of them, and nothing of this machine."""
    named = [word for file in files for word in ("--file", file)]
    done = subprocess.run(
        [COMPOSE or "", "--env-file", os.devnull, *named, "--profile", "*", *CONFIG],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")} | told,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    resolved: dict[str, Any] = json.loads(done.stdout)
    return resolved


@pytest.fixture(scope="module")
def stack() -> dict[str, Any]:
    return read("docker-compose.yml")


@pytest.fixture(scope="module")
def services(stack: dict[str, Any]) -> dict[str, dict[str, Any]]:
    resolved: dict[str, dict[str, Any]] = stack["services"]
    return resolved


def secrets_of(service: dict[str, Any]) -> set[str]:
    return {one["source"] for one in service.get("secrets") or []}


def test_every_secret_is_a_file_of_one_folder(stack: dict[str, Any]) -> None:
    folders = {Path(secret["file"]).parent for secret in stack["secrets"].values()}

    assert folders == {ROOT / "secrets"}


def test_the_script_writes_every_secret_and_no_other(stack: dict[str, Any], tmp_path: Path) -> None:
    written = write_secrets(tmp_path)

    assert set(written) == set(stack["secrets"])


def test_no_environment_holds_a_secret(services: dict[str, dict[str, Any]]) -> None:
    held = {
        (name, variable)
        for name, service in services.items()
        for variable, value in (service.get("environment") or {}).items()
        if re.search("PASSWORD|SECRET|SIGNING_KEY|TOKEN$|API_KEY", variable)
        and value is not None
        and not value.startswith("/run/secrets/")
    }

    assert held == set()


def test_each_file_that_is_named_is_mounted(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        told = json.dumps([service.get(part) for part in ("environment", "command", "entrypoint")])
        named = set(re.findall("/run/secrets/([a-z0-9_]+)", told))

        assert named <= secrets_of(service), name


# The image or the file itself says these, or they are for tests alone; or, as a pooler in front of
# PostgreSQL, for a file of one's own beside this one.
FIXED = {"BIND_HOST", "DEBUG", "FAILPOINTS", "FAILPOINTS_FOLDER", "FORWARDED_ALLOW_IPS", "PORT"}
FIXED |= {"METRICS_PORT", "MIGRATION_DATABASE_URL", "LISTEN_DATABASE_URL"}
FIXED |= {"DATABASE_CONN_MAX_AGE_SECONDS", "DATABASE_PREPARES"}


def test_every_setting_of_the_service_reaches_it(services: dict[str, dict[str, Any]]) -> None:
    example, _ = (ROOT / ".env.example").read_text().split("# --- Docker compose only")
    listed = set(re.findall(r"^([A-Z][A-Z0-9_]+)=", example, flags=re.MULTILINE))

    reaching = {
        name.removesuffix("_FILE")
        for role in ("web", "worker", "duties")
        for name in services[role]["environment"]
    }

    assert len(listed) > 50
    assert listed - reaching - FIXED == set()


def test_each_service_is_given_the_secrets_it_needs_and_no_others(
    services: dict[str, dict[str, Any]],
) -> None:
    holders: dict[str, set[str]] = {}
    for name, service in services.items():
        for secret in secrets_of(service):
            holders.setdefault(secret, set()).add(name)

    lasting = {"web", "relay", "worker", "bulk", "duties", "beat"}
    everybody = lasting | {"migrate", "models", "demo"}
    assert holders == {
        "secret_key": everybody,
        "jwt_signing_key": everybody,
        "database_password": everybody | {"postgres"},
        # Whoever owns the tables can alter the ledger.
        "postgres_password": {"migrate", "postgres"},
        # The web process never publishes.
        "rabbitmq_password": lasting - {"web"} | {"rabbitmq"},
        "s3_secret_key": LOADING | {"models", "bucket"},
        "minio_root_password": {"minio", "bucket"},
        "metrics_token": lasting - {"beat"} | {"prometheus"},
        "stripe_api_key": {"web", "duties"},
        "stripe_webhook_secret": {"web", "duties"},
        "email_host_password": {"duties"},
        "secret_key_fallbacks": {"web"},
        "jwt_signing_key_fallbacks": {"web"},
        "demo_admin_password": {"web", "demo"},
        "demo_client_password": {"web", "demo"},
        "grafana_password": {"grafana"},
    }


def test_each_service_reaches_those_it_calls_and_no_others(
    stack: dict[str, Any], services: dict[str, dict[str, Any]]
) -> None:
    joined: dict[str, set[str]] = {}
    for name, service in services.items():
        for network in service.get("networks") or {}:
            joined.setdefault(network, set()).add(name)

    lasting = {"web", "relay", "worker", "bulk", "duties", "beat"}
    assert joined == {
        "front": {"proxy", "web", "grafana"},
        "data": lasting | {"migrate", "models", "demo", "postgres"},
        "broker": lasting - {"web"} | {"rabbitmq", "prometheus"},
        "store": LOADING | {"models", "minio", "bucket"},
        "watch": lasting - {"beat"} | {"prometheus", "grafana"},
        "outside": {"duties"},
    }
    assert services["storage"]["network_mode"] == "none"
    # Whoever opens models, and whoever keeps data, calls nobody outside.
    open_ones = {name for name, network in stack["networks"].items() if not network.get("internal")}
    assert open_ones == {"front", "outside"}


def test_only_the_proxy_is_published_on_port_80(services: dict[str, dict[str, Any]]) -> None:
    published = {
        name: [port["published"] for port in service["ports"]]
        for name, service in services.items()
        if service.get("ports")
    }

    assert published == {"proxy": ["80"]}


def test_with_tls_the_proxy_speaks_it_on_port_443() -> None:
    proxy = read("docker-compose.yml", "deploy/tls/docker-compose.yml")["services"]["proxy"]

    mounted = {one["target"]: one["source"] for one in proxy["volumes"]}
    assert [port["published"] for port in proxy["ports"]] == ["80", "443"]
    assert mounted["/etc/nginx/conf.d/default.conf"].endswith("/deploy/nginx/tls.conf")
    assert secrets_of(proxy) == {"tls_certificate", "tls_key"}


def test_what_is_mounted_is_there(services: dict[str, dict[str, Any]]) -> None:
    sources = {
        volume["source"]
        for service in services.values()
        for volume in service.get("volumes") or []
        if volume["type"] == "bind"
    }

    assert len(sources) > 5
    assert [source for source in sources if not Path(source).exists()] == []


def test_what_lasts_has_a_health_check(services: dict[str, dict[str, Any]]) -> None:
    unchecked = {name for name, service in services.items() if "healthcheck" not in service}

    assert unchecked == ONCE


def test_what_lasts_is_started_again(services: dict[str, dict[str, Any]]) -> None:
    lasting = {name for name, one in services.items() if one["restart"] == "unless-stopped"}

    assert lasting == set(services) - ONCE


def test_a_stop_waits_for_what_is_at_work(services: dict[str, dict[str, Any]]) -> None:
    longer = read("docker-compose.yml", STOP_SECONDS="315s")["services"]

    assert services["worker"]["stop_grace_period"] == "40s"
    assert longer["worker"]["stop_grace_period"] == "5m15s"
    assert longer["bulk"]["stop_grace_period"] == "5m15s"
    assert services["duties"]["stop_grace_period"] == "15m15s"


def test_there_are_two_workers_and_exactly_one_beat(
    services: dict[str, dict[str, Any]],
) -> None:
    assert services["worker"]["deploy"]["replicas"] == 2
    assert services["beat"]["deploy"]["replicas"] == 1


def test_nobody_has_more_rights_than_a_user(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["read_only"] is True, name


def test_nobody_takes_all_of_the_machine(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}, name
        assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}, name


def test_every_image_of_others_is_of_one_version(services: dict[str, dict[str, Any]]) -> None:
    for name in set(services) - OURS:
        assert re.search(r":(v|RELEASE\.)?\d", services[name]["image"]), name


def test_monitoring_and_the_demo_are_there_when_asked_for(
    services: dict[str, dict[str, Any]],
) -> None:
    asked = {
        name: service["profiles"] for name, service in services.items() if "profiles" in service
    }

    assert asked == {
        "bulk": ["bulk"],
        "demo": ["demo"],
        "grafana": ["monitoring"],
        "prometheus": ["monitoring"],
    }


def test_prometheus_asks_everyone_who_answers(services: dict[str, dict[str, Any]]) -> None:
    scraped = yaml.safe_load((ROOT / "deploy" / "monitoring" / "prometheus.yml").read_text())

    names = {
        name
        for job in scraped["scrape_configs"]
        for found in job.get("dns_sd_configs", [])
        for name in found["names"]
    }
    assert names == {"relay", "worker", "bulk", "duties"}
    assert scraped["rule_files"] == ["/etc/prometheus/alerts.yaml"]


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


def runnable(line: str, folder: Path) -> str:
    return line.replace("$$", "$").replace("/run/secrets/", f"{folder}/")


def run_with_policies(
    bucket: dict[str, Any], folder: Path, before: list[str], **told: str
) -> "tuple[subprocess.CompletedProcess[str], list[str]]":
    """Run the commands with an `mc` that attaches policies; return which are attached then."""
    (folder / "mc").write_text(MC)
    (folder / "mc").chmod(0o755)
    for name in secrets_of(bucket):
        (folder / name).write_text("a-secret")
    for name in before:
        (folder / f"policy-{name}").touch()
    done = subprocess.run(
        [*bucket["entrypoint"], *(runnable(line, folder) for line in bucket["command"])],
        env={"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"} | told,
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

    for name in LOADING:
        assert mounted[name] == [("models", "/models")]
        assert services[name]["environment"]["MODEL_STORE_DIR"] == "/models"
    # It gives MinIO's volume an owner, and does nothing else.
    assert mounted["storage"] == [("minio", "/models")]
    assert {name for name, volumes in mounted.items() if volumes} == LOADING | {"storage"}


def test_what_lies_in_memory_is_bounded(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert all(":size=" in folder for folder in service["tmpfs"]), name


def test_the_models_are_published_before_a_worker_starts(
    services: dict[str, dict[str, Any]],
) -> None:
    done = "service_completed_successfully"

    assert services["models"]["depends_on"]["bucket"]["condition"] == done
    assert services["worker"]["depends_on"]["models"]["condition"] == done


def test_every_role_is_one_the_image_knows(services: dict[str, dict[str, Any]]) -> None:
    script = (ROOT / "deploy" / "role.sh").read_text()

    for name in OURS - {"storage", "demo"}:
        assert services[name]["command"] == [name]
        assert f"\n  {name})" in script


def test_what_serves_waits_for_the_tables(services: dict[str, dict[str, Any]]) -> None:
    for name in OURS - {"migrate", "storage", "demo"}:
        waited_for = services[name]["depends_on"]["migrate"]
        assert waited_for["condition"] == "service_completed_successfully"


def test_celery_takes_the_brokers_address_from_the_settings() -> None:
    script = (ROOT / "deploy" / "role.sh").read_text()

    # It would take it from the environment, where it still lacks its password.
    assert "exec celery --broker= --app mlservice" in script
