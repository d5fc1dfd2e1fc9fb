"""The chart as Helm and Kubernetes read it: it renders, it lints, every object fits its schema."""

import json
from functools import cache
from importlib import resources
from typing import Any

import helm_python
import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from tests.chart.rendering import (
    CASES,
    CHART,
    DEV,
    LEAST,
    NAMESPACE,
    PROD,
    ROOT,
    VAULT,
    Object,
    component,
    manifests,
    merged,
    objects,
    rendered,
)

VERSIONS = [f"1.{minor}" for minor in range(28, 38)]
# Kinds that operators bring, by the only version that is rendered of each.
BROUGHT = {
    "ServiceMonitor": "monitoring.coreos.com/v1",
    "PodMonitor": "monitoring.coreos.com/v1",
    "PrometheusRule": "monitoring.coreos.com/v1",
    "ExternalSecret": "external-secrets.io/v1",
    "SecretStore": "external-secrets.io/v1",
    "ScaledObject": "keda.sh/v1alpha1",
    "TriggerAuthentication": "keda.sh/v1alpha1",
}
SCHEMAS = resources.files("kubernetes_validate") / "kubernetes-json-schema"

every_case = pytest.mark.parametrize("case", CASES)


@cache
def definitions(version: str) -> Registry[Any]:
    text = (SCHEMAS / f"v{version}.0-local-strict" / "_definitions.json").read_text()
    contents: Resource[Any] = Resource.from_contents(json.loads(text))
    empty: Registry[Any] = Registry()
    # Looked through once, and not again for each reference.
    filled: Registry[Any] = empty.with_resource("_definitions.json", contents).crawl()
    return filled


@cache
def validator(version: str, kind: str, api_version: str) -> Draft202012Validator:
    group, _, number = api_version.rpartition("/")
    name = "-".join(filter(None, [kind.lower(), group.partition(".")[0], number]))
    schema = json.loads((SCHEMAS / f"v{version}.0-local-strict" / f"{name}.json").read_text())
    return Draft202012Validator(schema, registry=definitions(version))


def errors(each: Object, version: str) -> list[str]:
    """Return every way in which an object does not fit, not only the first one."""
    found = validator(version, each["kind"], each["apiVersion"]).iter_errors(each)
    return [f"{each['kind']} {error.json_path}: {error.message}" for error in found]


@cache
def all_objects() -> list[Object]:
    """Return every object of every case once."""
    texts = {json.dumps(each, sort_keys=True) for case in CASES for each in objects(case)}
    return [json.loads(text) for text in sorted(texts)]


def shape(part: Any) -> Any:
    """Return what a schema looks at: names, nesting and kinds of values, each once."""
    if isinstance(part, dict):
        return {name: shape(value) for name, value in sorted(part.items())}
    if isinstance(part, list):
        return sorted({json.dumps(shape(each)) for each in part})
    return type(part).__name__


@cache
def one_of_each_shape() -> list[Object]:
    chosen = {each["kind"] + json.dumps(shape(each)): each for each in all_objects()}
    return list(chosen.values())


# All of them would take a minute, and differ in names alone: that is left to the newest.
@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_fits_the_schema_of_kubernetes(version: str) -> None:
    chosen = all_objects() if version == VERSIONS[-1] else one_of_each_shape()
    ours = [each for each in chosen if each["kind"] not in BROUGHT]

    found = [error for each in ours for error in errors(each, version)]

    assert {"Deployment", "StatefulSet", "Job", "NetworkPolicy"} <= {each["kind"] for each in ours}
    assert found == []


def test_a_word_that_kubernetes_does_not_know_is_found() -> None:
    deployment = next(each for each in objects("least") if each["kind"] == "Deployment")
    deployment["spec"]["replica"] = 1
    deployment["spec"]["template"]["spec"]["containers"][0]["ports"] = "http"

    assert len(errors(deployment, "1.30")) == 2


def test_what_operators_bring_is_of_the_versions_they_serve() -> None:
    foreign = {each["kind"]: each["apiVersion"] for each in all_objects() if is_foreign(each)}

    assert foreign == BROUGHT


def is_foreign(each: Object) -> bool:
    return "." in each["apiVersion"] and not each["apiVersion"].split("/")[0].endswith(".k8s.io")


@every_case
def test_every_object_stands_in_the_releases_namespace_once(case: str) -> None:
    names = [(each["kind"], each["metadata"]["name"]) for each in objects(case)]

    assert {each["metadata"]["namespace"] for each in objects(case)} == {NAMESPACE}
    assert len(names) == len(set(names))


@every_case
def test_the_chart_passes_helms_own_strict_check(case: str) -> None:
    verdict = helm_python.lint(f"{CHART}/", CASES[case], strict=True, kube_version="v1.30.0")

    assert verdict["errors"] == []


REFUSED: list[tuple[Object, str]] = [
    ({"secrets": {"mode": ""}}, "secrets.mode"),
    ({"secrets": {"mode": "plain"}}, "mode"),
    ({"secrets": {"existingSecret": ""}}, "existingSecret"),
    ({"secrets": {"existingOwnerSecret": ""}}, "existingOwnerSecret"),
    ({"secrets": {"mode": "externalSecret"}}, "vault.address"),
    ({"allowedHosts": []}, "allowedHosts"),
    ({"s3": {"bucket": ""}}, "s3.bucket"),
    ({"config": {"SECRET_KEY": "x"}}, "config.SECRET_KEY is a secret"),
    ({"config": {"DATABASE_URL": "postgresql://u:p@h/d"}}, "config.DATABASE_URL is a secret"),
    ({"ingress": {"enabled": True}}, "ingress.tlsSecret"),
    ({"worker": {"replicas": 0}}, "replicas"),
    ({"wroker": {"replicas": 2}}, "wroker"),
    ({"image": {"digest": "latest"}}, "digest"),
]


@pytest.mark.parametrize(("change", "word"), REFUSED, ids=[word for _, word in REFUSED])
def test_values_that_lack_or_mistake_something_are_refused_by_name(
    change: Object, word: str
) -> None:
    with pytest.raises(helm_python.HelmError, match=word):
        manifests(merged(LEAST, change))


def test_a_large_number_is_written_out_and_a_small_one_stays() -> None:
    said = {"TOP_UP_MAX_CREDITS": 50_000_000, "PREDICTION_BACKLOG_LIMIT": 100, "HTTPS": False}

    (config,) = (
        each
        for each in manifests(merged(LEAST, {"config": said}))
        if each["kind"] == "ConfigMap" and component(each) == "config"
    )

    assert config["data"]["TOP_UP_MAX_CREDITS"] == "50000000"
    assert config["data"]["PREDICTION_BACKLOG_LIMIT"] == "100"
    assert config["data"]["HTTPS"] == "false"


def test_stores_inside_the_release_need_a_secret_with_their_passwords() -> None:
    with pytest.raises(helm_python.HelmError, match="stores need their passwords"):
        manifests(merged(DEV, VAULT))


def test_keda_asks_no_database_whose_address_no_secret_holds() -> None:
    with pytest.raises(helm_python.HelmError, match=r"say keda\.trigger prometheus"):
        manifests(merged(merged(PROD, VAULT), {"keda": {"enabled": True}}))


@pytest.mark.parametrize("case", ["dev", "prod"])
def test_what_is_said_after_an_installation_names_what_there_is(case: str) -> None:
    notes = next(text for name, text in rendered(CASES[case]).items() if name.endswith("NOTES.txt"))

    assert "shop-mlservice-migrate-1" in notes
    assert "helm test shop --namespace team15-ns" in notes
    assert ("DEMO_MODE is on" in notes) == (case == "dev")


def test_files_that_compose_uses_too_are_the_same() -> None:
    for inside, outside in (
        ("create_role.sh", "postgres/create_role.sh"),
        ("models.json", "minio/models.json"),
    ):
        assert (CHART / "files" / inside).resolve() == ROOT / "deploy" / outside
