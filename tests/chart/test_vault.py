"""The way of a secret from Vault to a process, on a real server of Vault's API.

The policies that the chart ships are the ones that are asked; the templates that Vault's agent
fills are the rendered ones, filled by the agent itself. In a cluster the agent signs in by its
account's token, here by an AppRole: what follows from the policy is the same.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.chart.conftest import Vault
from tests.chart.rendering import CHART, ROOT, of_kind, pod_template, secret_keys, variables

# A value that a shell or a template could stumble over.
AWKWARD = """it's "$HOME" `id` \\n {{ . }} ;'' end"""
PREFIX = "vault.hashicorp.com/"


@dataclass(frozen=True)
class Roles:
    """Vault with the chart's two secrets, and a token for each of its two policies."""

    vault: Vault
    app: str
    owner: str
    ids: dict[str, tuple[str, str]]


def keys_of(case: str, kinds: tuple[str, ...] = ("Deployment", "Job")) -> dict[str, bool]:
    """Return every key that any pod reads from the service's Secret, and whether it must be."""
    found: dict[str, bool] = {}
    for kind in kinds:
        for each in of_kind(case, kind).values():
            for _, key, must in secret_keys(pod_template(each)["spec"]):
                found[key] = must
    return found


OWNER_KEYS = {"MIGRATION_DATABASE_URL"}


@pytest.fixture(scope="module")
def roles(vault: Vault) -> Roles:
    """Set Vault up as docs/kubernetes.md says."""
    vault.must("POST", "sys/mounts/kv", {"type": "kv", "options": {"version": "2"}})
    app = {key: f"{key} {AWKWARD}" for key in keys_of("least").keys() - OWNER_KEYS}
    del app["STRIPE_API_KEY"], app["STRIPE_WEBHOOK_SECRET"]
    vault.must("POST", "kv/data/mlservice/app", {"data": app})
    vault.must("POST", "kv/data/mlservice/owner", {"data": dict.fromkeys(OWNER_KEYS, AWKWARD)})
    vault.must("POST", "kv/data/another/app", {"data": {"SECRET_KEY": "not yours"}})
    vault.must("POST", "sys/auth/approle", {"type": "approle"})
    ids = {
        "app": make_role(vault, "mlservice", ["app"]),
        "owner": make_role(vault, "mlservice-owner", ["app", "owner"]),
    }
    return Roles(vault, token(vault, *ids["app"]), token(vault, *ids["owner"]), ids)


def make_role(vault: Vault, name: str, policies: list[str]) -> tuple[str, str]:
    for policy in policies:
        text = (CHART / "files" / "vault" / f"{policy}.hcl").read_text()
        vault.must("PUT", f"sys/policies/acl/mlservice-{policy}", {"policy": text})
    granted = [f"mlservice-{policy}" for policy in policies]
    granted_role = {"token_policies": granted, "token_no_default_policy": True}
    vault.must("POST", f"auth/approle/role/{name}", granted_role)
    role_id = vault.must("GET", f"auth/approle/role/{name}/role-id")["data"]["role_id"]
    secret = vault.must("POST", f"auth/approle/role/{name}/secret-id")["data"]["secret_id"]
    return role_id, secret


def token(vault: Vault, role_id: str, secret_id: str) -> str:
    signed_in = vault.must(
        "POST", "auth/approle/login", {"role_id": role_id, "secret_id": secret_id}
    )
    return str(signed_in["auth"]["client_token"])


def test_the_services_policy_reads_its_secret(roles: Roles) -> None:
    status, answer = roles.vault.ask("GET", "kv/data/mlservice/app", token=roles.app)

    assert status == 200
    required = {key for key, must in keys_of("least").items() if must} - OWNER_KEYS
    assert required <= answer["data"]["data"].keys()


REFUSED = [
    ("GET", "kv/data/mlservice/owner"),
    ("GET", "kv/data/another/app"),
    ("GET", "kv/data/mlservice/app/below"),
    ("GET", "kv/metadata/mlservice/app"),
    ("LIST", "kv/metadata/mlservice"),
    ("LIST", "kv/metadata"),
    ("POST", "kv/data/mlservice/app"),
    ("DELETE", "kv/data/mlservice/app"),
    ("GET", "sys/policies/acl/mlservice-app"),
    ("LIST", "auth/approle/role"),
    ("POST", "auth/token/create"),
]


@pytest.mark.parametrize(("method", "path"), REFUSED)
def test_the_services_policy_opens_nothing_else(roles: Roles, method: str, path: str) -> None:
    body: Any = {"data": {}} if method == "POST" else None

    status, _ = roles.vault.ask(method, path, body, token=roles.app)

    assert status == 403


def test_only_the_migrations_policy_reads_the_address_of_the_tables_owner(roles: Roles) -> None:
    status, answer = roles.vault.ask("GET", "kv/data/mlservice/owner", token=roles.owner)

    assert (status, answer["data"]["data"]) == (200, {"MIGRATION_DATABASE_URL": AWKWARD})
    assert roles.vault.ask("LIST", "kv/metadata", token=roles.owner)[0] == 403
    assert roles.vault.ask("POST", "kv/data/mlservice/owner", {}, token=roles.owner)[0] == 403


def annotations(role: str) -> dict[str, str]:
    kind = "Job" if role in {"migrate", "models"} else "Deployment"
    found: dict[str, str] = pod_template(of_kind("vault", kind)[role])["metadata"]["annotations"]
    return {name.removeprefix(PREFIX): value for name, value in found.items() if PREFIX in name}


def fill(tools: Path, roles: Roles, role: str, folder: Path) -> dict[str, Path]:
    """Let the agent fill the rendered templates; return the file of each key."""
    told = annotations(role)
    which = "owner" if told["role"] == "mlservice-owner" else "app"
    for name, text in zip(("role", "secret"), roles.ids[which], strict=True):
        (folder / name).write_text(text)
    begin = "agent-inject-template-"
    texts = {n.removeprefix(begin): text for n, text in told.items() if n.startswith(begin)}
    blocks = []
    for key, text in texts.items():
        (folder / f"{key}.tpl").write_text(text)
        files = f'source = "{folder}/{key}.tpl"\n destination = "{folder}/{key}"'
        blocks.append(f"template {{ {files} }}")
    (folder / "agent.hcl").write_text(AGENT.format(roles=roles, folder=folder) + "\n".join(blocks))
    done = subprocess.run(
        [tools / "bao", "agent", "-config", folder / "agent.hcl"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return {key: folder / key for key in texts}


AGENT = """
vault {{ address = "{roles.vault.address}" }}
auto_auth {{ method "approle" {{ config = {{
  role_id_file_path = "{folder}/role"
  secret_id_file_path = "{folder}/secret"
  remove_secret_id_file_after_reading = false
}} }} }}
exit_after_auth = true
template_config {{ exit_on_retry_failure = true }}
"""


def seen_by_the_process(role: str, files: dict[str, Path]) -> dict[str, str]:
    """Give a process the pod's variables, its files where they were written; return its secrets."""
    kind = "Job" if role in {"migrate", "models"} else "Deployment"
    container = pod_template(of_kind("vault", kind)[role])["spec"]["containers"][0]
    told = {n: v["value"] for n, v in variables(container).items() if n.endswith("_FILE")}
    assert told == {f"{key}_FILE": f"/vault/secrets/{key}" for key in files}
    moved = {f"{key}_FILE": str(path) for key, path in files.items()}
    done = subprocess.run(
        [sys.executable, "-c", SAY],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]} | moved,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, str] = json.loads(done.stdout)
    return {name: value for name, value in found.items() if value and name in files}


SAY = """
import json, os
from deploy.secret_files import read_secret_files
read_secret_files()
print(json.dumps(dict(os.environ)))
"""


@pytest.mark.parametrize("role", ["web", "relay", "migrate"])
def test_what_lies_in_vault_is_what_the_process_finds(
    tools: Path, roles: Roles, tmp_path: Path, role: str
) -> None:
    found = seen_by_the_process(role, fill(tools, roles, role, tmp_path))

    kind = "Job" if role == "migrate" else "Deployment"
    pod = pod_template(of_kind("least", kind)[role])["spec"]
    wanted = {key for _, key, _ in secret_keys(pod)}
    # What is not there is not set, and what another role reads is not given.
    assert found == {
        key: AWKWARD if key in OWNER_KEYS else f"{key} {AWKWARD}"
        for key in wanted - {"STRIPE_API_KEY", "STRIPE_WEBHOOK_SECRET"}
    }


def test_every_pod_of_the_service_is_served_by_an_agent_that_runs_once_and_first() -> None:
    for role in (*of_kind("vault", "Deployment"), *of_kind("vault", "Job")):
        told = annotations(role)
        assert told["agent-inject"] == "true"
        assert told["agent-init-first"] == "true"
        assert told["agent-pre-populate-only"] == "true"
        assert told["agent-service-account-token-volume-name"] == "vault-token"
        assert told["role"] == ("mlservice-owner" if role == "migrate" else "mlservice")
        assert told["preserve-secret-case"] == "true"
        assert told["agent-inject-secret-SECRET_KEY"] == "kv/data/mlservice/app"


def test_injected_pods_are_given_no_secret_by_the_cluster() -> None:
    for kind in ("Deployment", "Job"):
        for each in of_kind("vault", kind).values():
            assert secret_keys(pod_template(each)["spec"]) == set()


def test_external_secrets_fetches_the_paths_that_the_policies_open() -> None:
    fetched = {
        role: (
            each["spec"]["dataFrom"][0]["extract"]["key"],
            each["spec"]["secretStoreRef"]["name"],
        )
        for role, each in of_kind("prod", "ExternalSecret").items()
    }
    stores = {
        role: each["spec"]["provider"]["vault"]
        for role, each in of_kind("prod", "SecretStore").items()
    }

    assert fetched == {
        "app": ("mlservice/app", "shop-mlservice-app"),
        "owner": ("mlservice/owner", "shop-mlservice-owner"),
    }
    accounts = {each["metadata"]["name"] for each in of_kind("prod", "ServiceAccount").values()}
    for role, store in stores.items():
        assert (store["path"], store["version"]) == ("kv", "v2")
        signing_in: Any = store["auth"]["kubernetes"]
        assert signing_in["role"] == ("mlservice-owner" if role == "owner" else "mlservice")
        assert signing_in["serviceAccountRef"]["name"] in accounts
    assert of_kind("a store that exists", "SecretStore") == {}
    for each in of_kind("a store that exists", "ExternalSecret").values():
        assert each["spec"]["secretStoreRef"] == {"kind": "ClusterSecretStore", "name": "v"}
