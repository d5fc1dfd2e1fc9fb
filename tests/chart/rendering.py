"""The only place that renders the chart, by the real Helm engine, and reads what comes out."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import helm_python
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "mlservice"
COMPONENT = "app.kubernetes.io/component"
NAMESPACE = "team15-ns"
RELEASE = "shop"
NAME = f"{RELEASE}-mlservice"

Object = dict[str, Any]

LASTING = {"web", "relay", "worker", "bulk", "duties", "beat"}
SCALABLE = LASTING - {"beat"}
POOLS = {"worker", "bulk"}
JOBS = {"migrate", "models"}
STORES = {"postgres", "rabbitmq", "minio"}
WORKLOADS = {"Deployment", "StatefulSet", "Job", "Pod"}


def merged(base: Object, change: Object) -> Object:
    """Lay the change over the base, as Helm lays one file of values over another."""
    both = base | change
    for name in base.keys() & change.keys():
        if isinstance(base[name], dict) and isinstance(change[name], dict):
            both[name] = merged(base[name], change[name])
    return both


def values_of(file: str) -> Object:
    values: Object = yaml.safe_load((CHART / file).read_text())
    return values


DEV, PROD = values_of("values-dev.yaml"), values_of("values-prod.yaml")
LEAST: Object = {
    "secrets": {
        "mode": "existingSecret",
        "existingSecret": "service",
        "existingOwnerSecret": "owner",
    },
    "allowedHosts": ["ml.example.com"],
    "s3": {"bucket": "models"},
}
VAULT = {"secrets": {"mode": "vaultInjector"}, "monitoring": {"tokenSecret": "metrics"}}
CASES: dict[str, Object] = {
    "least": LEAST,
    "dev": DEV,
    "prod": PROD,
    "vault": merged(PROD, VAULT),
    "a store that exists": merged(
        PROD,
        {"secrets": {"externalSecret": {"store": {"kind": "ClusterSecretStore", "name": "v"}}}},
    ),
    "keda": merged(DEV, {"keda": {"enabled": True}}),
    "keda by prometheus": merged(
        PROD,
        {
            "keda": {
                "enabled": True,
                "trigger": "prometheus",
                "prometheus": "http://prometheus:9090",
            }
        },
    ),
    "one pool": merged(LEAST, {"bulk": {"enabled": False}, "models": {"enabled": False}}),
    "fixed": merged(
        LEAST, {role: {"autoscaling": {"enabled": False}} for role in sorted(SCALABLE)}
    ),
}


def rendered(values: Object, *, release: str = RELEASE, **options: Any) -> dict[str, str]:
    chart = helm_python.Chart.load(f"{CHART}/")
    files: dict[str, str] = chart.render(values, name=release, namespace=NAMESPACE, **options)
    return files


def manifests(values: Object, *, release: str = RELEASE) -> list[Object]:
    files = rendered(values, release=release)
    texts = (text for name, text in files.items() if name.endswith(".yaml"))
    return [each for text in texts for each in yaml.safe_load_all(text) if each]


@cache
def _manifests_of(case: str) -> str:
    return json.dumps(manifests(CASES[case]))


def objects(case: str) -> list[Object]:
    """Return what a case renders, anew each time: a test may change it."""
    made: list[Object] = json.loads(_manifests_of(case))
    return made


def of_kind(case: str, kind: str) -> dict[str, Object]:
    """Return the objects of a kind by the component they belong to."""
    return {component(each): each for each in objects(case) if each["kind"] == kind}


def component(each: Object) -> str:
    return str(each["metadata"]["labels"][COMPONENT])


def pod_template(workload: Object) -> Object:
    template: Object = workload if workload["kind"] == "Pod" else workload["spec"]["template"]
    return template


def pods(case: str, *kinds: str) -> dict[str, Object]:
    """Return the specification of every component's pod."""
    return {
        component(each): pod_template(each)["spec"]
        for each in objects(case)
        if each["kind"] in (kinds or WORKLOADS)
    }


def containers(pod: Object) -> Iterator[Object]:
    yield from pod.get("initContainers", [])
    yield from pod["containers"]


def variables(container: Object) -> dict[str, Object]:
    return {each["name"]: each for each in container.get("env", [])}


def secret_keys(pod: Object) -> set[tuple[str, str, bool]]:
    """Return name, key and whether it must be there, of every secret that a pod is given."""
    references = (
        each.get("valueFrom", {}).get("secretKeyRef")
        for container in containers(pod)
        for each in container.get("env", [])
    )
    return {(one["name"], one["key"], not one.get("optional")) for one in references if one}
