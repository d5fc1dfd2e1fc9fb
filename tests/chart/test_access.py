"""Who may ask the cluster for what, and who is given which secret."""

import re

import pytest

from tests.chart.rendering import (
    CASES,
    NAME,
    NAMESPACE,
    WORKLOADS,
    component,
    containers,
    objects,
    of_kind,
    pod_template,
    pods,
    secret_keys,
    variables,
)

every_case = pytest.mark.parametrize("case", CASES)


@every_case
def test_every_component_has_an_account_of_its_own_and_no_token(case: str) -> None:
    accounts = of_kind(case, "ServiceAccount")
    running = {component(each): pod_template(each) for each in objects(case) if is_workload(each)}

    assert accounts.keys() == running.keys()
    for role, template in running.items():
        assert template["spec"]["serviceAccountName"] == f"{NAME}-{role}"
        assert template["spec"]["automountServiceAccountToken"] is False
        assert accounts[role]["metadata"]["name"] == f"{NAME}-{role}"
        assert accounts[role]["automountServiceAccountToken"] is False


def is_workload(each: dict[str, object]) -> bool:
    return each["kind"] in WORKLOADS


@every_case
def test_only_vaults_agent_finds_a_token_and_no_container_mounts_it(case: str) -> None:
    for role, pod in pods(case, "Deployment", "Job").items():
        tokens = [volume for volume in pod["volumes"] if "projected" in volume]
        assert bool(tokens) == (case == "vault"), role
        mounted = {m["name"] for c in containers(pod) for m in c.get("volumeMounts", [])}
        assert mounted.isdisjoint(volume["name"] for volume in tokens)


@every_case
def test_the_one_role_opens_named_objects_only_and_is_bound_to_each_account(case: str) -> None:
    role = of_kind(case, "Role")["access"]
    bindings = of_kind(case, "RoleBinding")
    known = {"service", "mlservice-app", f"{NAME}-app"}

    assert role["metadata"]["name"] == "restricted-role"
    for rule in role["rules"]:
        assert rule["apiGroups"] == [""]
        assert set(rule["verbs"]) == {"get", "list", "watch"}
        (kind,) = rule["resources"]
        assert kind in {"configmaps", "secrets"}
        assert set(rule["resourceNames"]) <= ({NAME} if kind == "configmaps" else known)
        assert rule["resourceNames"]
    assert not [each for each in objects(case) if each["kind"].startswith("ClusterRole")]
    assert bindings.keys() == of_kind(case, "ServiceAccount").keys()
    for name, binding in bindings.items():
        assert binding["roleRef"]["name"] == "restricted-role"
        subject = {"kind": "ServiceAccount", "name": f"{NAME}-{name}", "namespace": NAMESPACE}
        assert binding["subjects"] == [subject]


def keys_by_role(case: str) -> dict[str, set[str]]:
    return {
        role: {key for _, key, _ in secret_keys(pod)}
        for role, pod in pods(case, "Deployment", "Job").items()
    }


def test_each_role_is_given_the_secrets_it_needs_and_no_others() -> None:
    holders: dict[str, set[str]] = {}
    for role, keys in keys_by_role("least").items():
        for key in keys:
            holders.setdefault(key, set()).add(role)

    lasting = {"web", "relay", "worker", "bulk", "duties", "beat"}
    everybody = lasting | {"migrate", "models"}
    loading = {"web", "worker", "bulk", "models"}
    assert holders == {
        "SECRET_KEY": everybody,
        "JWT_SIGNING_KEY": everybody,
        "DATABASE_URL": everybody,
        # It says that DATABASE_URL is a pooler; beat asks no database.
        "LISTEN_DATABASE_URL": everybody - {"beat"},
        "MIGRATION_DATABASE_URL": {"migrate"},
        # The web process never publishes.
        "BROKER_URL": lasting - {"web"},
        "AWS_ACCESS_KEY_ID": loading,
        "AWS_SECRET_ACCESS_KEY": loading,
        "METRICS_TOKEN": lasting - {"beat"},
        "STRIPE_API_KEY": {"web", "duties"},
        "STRIPE_WEBHOOK_SECRET": {"web", "duties"},
        "EMAIL_HOST_PASSWORD": {"duties"},
        "SECRET_KEY_FALLBACKS": {"web"},
        "JWT_SIGNING_KEY_FALLBACKS": {"web"},
        "DEMO_ADMIN_PASSWORD": {"web"},
        "DEMO_CLIENT_PASSWORD": {"web"},
    }


def test_who_holds_no_key_of_the_broker_is_told_its_kind_alone() -> None:
    for role in ("web", "migrate", "models"):
        assert variables(pods("least")[role]["containers"][0])["BROKER_URL"]["value"] == "amqp://"


@pytest.mark.parametrize("case", [case for case in CASES if case != "vault"])
def test_secrets_come_from_the_two_that_are_named(case: str) -> None:
    named = {name for pod in pods(case).values() for name, _, _ in secret_keys(pod)}
    made = {each["spec"]["target"]["name"] for each in objects(case) if each["kind"] == EXTERNAL}

    expected = {"least": {"service", "owner"}, "dev": {"mlservice-app", "mlservice-owner"}}
    assert named == (made or expected.get(case, expected["dev" if case == "keda" else "least"]))


EXTERNAL = "ExternalSecret"


@every_case
def test_no_secret_lies_open(case: str) -> None:
    assert of_kind(case, "Secret") == {}
    for each in (each for each in objects(case) if each["kind"] in WORKLOADS):
        for container in pod_template(each)["spec"]["containers"]:
            for name, variable in variables(container).items():
                given = "" if name.endswith("_FILE") else variable.get("value", "")
                assert not given or not re.search(r"PASSWORD|_KEY|TOKEN|SECRET$", name)
                assert not re.search(r"://[^/\s:]*:[^@\s$]+@", given)
    for data in (each["data"] for each in objects(case) if each["kind"] == "ConfigMap"):
        assert not {name for name in data if re.search(r"PASSWORD|_KEY$|TOKEN|_URL$", name)} - {
            "SITE_URL",
            "S3_ENDPOINT_URL",
        }
