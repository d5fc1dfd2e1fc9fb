"""The chart, rendered by the real Helm engine and looked at as objects; no cluster is asked."""

from pathlib import Path
from typing import Any

import pytest
import yaml

helm_python = pytest.importorskip("helm_python")
kubernetes_validate = pytest.importorskip("kubernetes_validate")

CHART = f"{Path(__file__).resolve().parents[2] / 'helm' / 'mlservice'}/"
VALUES: dict[str, Any] = {
    "secrets": {"existingSecret": "mlservice-secrets"},
    "allowedHosts": ["ml.example.com"],
}
ROLES = {"web", "relay", "worker", "duties", "beat"}


def render(**changes: Any) -> list[dict[str, Any]]:
    files = helm_python.Chart.load(CHART).render(VALUES | changes, name="shop", namespace="ml")
    return [each for text in files.values() for each in yaml.safe_load_all(text) if each]


def of_kind(objects: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    """Return the objects of a kind by the role they play."""
    chosen = [each for each in objects if each["kind"] == kind]
    return {each["metadata"]["labels"].get(COMPONENT, ""): each for each in chosen}


COMPONENT = "app.kubernetes.io/component"


def pods() -> dict[str, dict[str, Any]]:
    """Return what every role runs: the pod's specification."""
    objects = render()
    owners = of_kind(objects, "Deployment") | of_kind(objects, "Job")
    return {role: owner["spec"]["template"]["spec"] for role, owner in owners.items()}


def test_the_chart_passes_helms_own_strict_check() -> None:
    verdict = helm_python.lint(CHART, VALUES, strict=True, kube_version="v1.30.0")

    assert verdict["errors"] == []


@pytest.mark.parametrize("version", ["1.25", "1.30", "1.37"])
def test_every_object_fits_the_schema_of_kubernetes(version: str) -> None:
    objects = render(ingress={"enabled": True, "className": "nginx", "tlsSecret": "tls"})

    for each in objects:
        kubernetes_validate.validate(each, version, strict=True)

    assert {"Deployment", "Job", "Service", "Ingress"} <= {each["kind"] for each in objects}


@pytest.mark.parametrize(
    ("missing", "word"), [("secrets", "existingSecret"), ("allowedHosts", "allowedHosts")]
)
def test_a_chart_that_lacks_what_it_must_be_given_is_not_rendered(missing: str, word: str) -> None:
    with pytest.raises(Exception, match=word):
        render(**{missing: None})


def test_it_runs_every_role_and_migrates() -> None:
    assert set(pods()) == ROLES | {"migrate"}


def test_bulk_has_nodes_of_its_own_when_it_is_given_some() -> None:
    objects = render(bulk={"replicas": 2}, worker={"queues": "predictions"})

    bulk = of_kind(objects, "Deployment")["bulk"]["spec"]
    config = next(iter(of_kind(objects, "ConfigMap").values()))
    assert bulk["replicas"] == 2
    assert bulk["template"]["spec"]["containers"][0]["args"] == ["bulk"]
    assert config["data"]["WORKER_QUEUES"] == "predictions"


def test_who_touches_models_and_only_those_may_read_the_store() -> None:
    reading = {
        role
        for role, pod in pods().items()
        if "AWS_SECRET_ACCESS_KEY" in {each["name"] for each in pod["containers"][0]["env"]}
    }

    assert reading == {"web", "worker"}


def test_it_brings_no_secret_of_its_own() -> None:
    assert of_kind(render(), "Secret") == {}


def test_selectors_find_their_own_pods_and_the_service_only_the_web() -> None:
    objects = render()
    deployments = of_kind(objects, "Deployment")
    service = next(iter(of_kind(objects, "Service").values()))

    for deployment in deployments.values():
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
    served = {
        role
        for role, each in deployments.items()
        if service["spec"]["selector"].items()
        <= each["spec"]["template"]["metadata"]["labels"].items()
    }
    assert served == {"web"}


def test_what_a_pod_names_exists() -> None:
    objects = render()
    accounts = {each["metadata"]["name"] for each in of_kind(objects, "ServiceAccount").values()}
    maps = {each["metadata"]["name"] for each in of_kind(objects, "ConfigMap").values()}

    for pod in pods().values():
        container = pod["containers"][0]
        assert pod["serviceAccountName"] in accounts
        assert container["envFrom"][0]["configMapRef"]["name"] in maps
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["volumes"]}


def test_no_pod_runs_as_root_or_writes_its_image() -> None:
    for pod in pods().values():
        rights = pod["containers"][0]["securityContext"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert rights["readOnlyRootFilesystem"]
        assert rights["capabilities"]["drop"] == ["ALL"]
        assert not rights["allowPrivilegeEscalation"]


def test_every_pod_states_what_it_takes_and_every_lasting_one_has_a_probe() -> None:
    for role, pod in pods().items():
        container = pod["containers"][0]
        assert "memory" in container["resources"]["limits"]
        assert ("livenessProbe" in container) == (role != "migrate")


def test_only_the_migration_knows_the_owner_of_the_tables() -> None:
    knowing = {
        role
        for role, pod in pods().items()
        if "MIGRATION_DATABASE_URL" in {each["name"] for each in pod["containers"][0]["env"]}
    }

    assert knowing == {"migrate"}


def test_there_are_never_two_beats() -> None:
    beat = of_kind(render(), "Deployment")["beat"]["spec"]

    assert beat["replicas"] == 1
    assert beat["strategy"] == {"type": "Recreate"}


def test_the_probes_name_is_allowed_beside_peoples() -> None:
    config = next(iter(of_kind(render(), "ConfigMap").values()))

    assert config["data"]["ALLOWED_HOSTS"] == "ml.example.com,127.0.0.1"


def test_there_is_no_ingress_unless_asked_for() -> None:
    assert of_kind(render(), "Ingress") == {}
