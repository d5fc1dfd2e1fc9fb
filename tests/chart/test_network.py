"""Who reaches whom: nothing that is not named, and everything that is needed."""

from itertools import product
from typing import Any

import pytest

from tests.chart.rendering import (
    CASES,
    NAME,
    PROD,
    WORKLOADS,
    Object,
    component,
    manifests,
    merged,
    objects,
    of_kind,
    pod_template,
)

every_case = pytest.mark.parametrize("case", CASES)
PORTS = {"postgres": 5432, "rabbitmq": 5672, "minio": 9000, "web": 8000}
DATABASE = {"web", "relay", "worker", "bulk", "duties", "migrate", "models"}
BROKER = {"relay", "worker", "bulk", "duties", "beat"}
STORE = {"web", "worker", "bulk", "models", "bucket"}


def labels(case: str) -> dict[str, dict[str, str]]:
    return {
        component(each): pod_template(each)["metadata"]["labels"]
        for each in objects(case)
        if each["kind"] in WORKLOADS
    }


def policies_for(case: str, pod: dict[str, str], direction: str) -> list[Object]:
    return [
        each["spec"]
        for each in objects(case)
        if each["kind"] == "NetworkPolicy"
        and direction in each["spec"]["policyTypes"]
        and each["spec"]["podSelector"]["matchLabels"].items() <= pod.items()
    ]


def admits(rule: Object, side: str, pod: dict[str, str], port: int) -> bool:
    """Say whether a rule names a pod of this release and the port."""
    peers = rule.get(side)
    is_named = peers is None or any(names(peer, pod) for peer in peers)
    ports = {each["port"] for each in rule.get("ports", [])}
    return is_named and (not ports or port in ports)


def names(peer: Any, pod: dict[str, str]) -> bool:
    selector = peer.get("podSelector", {}).get("matchLabels", {})
    return "namespaceSelector" not in peer and selector.items() <= pod.items()


def may_reach(case: str, one: str, other: str, port: int) -> bool:
    pods = labels(case)
    out = policies_for(case, pods[one], "Egress")
    into = policies_for(case, pods[other], "Ingress")
    leaves = any(admits(r, "to", pods[other], port) for p in out for r in p.get("egress", []))
    enters = any(admits(r, "from", pods[one], port) for p in into for r in p.get("ingress", []))
    return leaves and enters


@every_case
def test_every_pod_is_denied_all_that_is_not_named(case: str) -> None:
    deny = of_kind(case, "NetworkPolicy")["deny"]["spec"]

    assert deny["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in deny
    assert "egress" not in deny
    for pod in labels(case).values():
        assert deny["podSelector"]["matchLabels"].items() <= pod.items()


def test_inside_a_release_exactly_the_needed_edges_are_open() -> None:
    components = labels("dev").keys()

    edges = {
        (one, other)
        for (one, other), port in product(product(components, components), PORTS.values())
        if may_reach("dev", one, other, port)
    }

    assert edges == (
        {(role, "postgres") for role in DATABASE}
        | {(role, "rabbitmq") for role in BROKER}
        | {(role, "minio") for role in STORE}
        | {("test", "web")}
    )


def test_stores_of_ones_own_are_reached_on_their_port_alone() -> None:
    for role, policy in of_kind("prod", "NetworkPolicy").items():
        rules = policy["spec"].get("egress", [])
        ports = {each["port"] for rule in rules for each in rule["ports"] if "to" not in rule}
        wanted = {5432} if role in DATABASE else set()
        wanted |= {5672} if role in BROKER else set()
        wanted |= {443} if role in STORE else set()
        wanted |= {587} if role == "duties" else set()
        assert ports == wanted, role


def test_payments_are_called_only_where_there_are_any() -> None:
    paid = merged(PROD, {"networkPolicy": {"egress": {"payments": {"enabled": True}}}})
    calling = {
        component(each)
        for each in manifests(paid)
        if each["kind"] == "NetworkPolicy"
        and sum({"port": 443} in rule["ports"] for rule in each["spec"].get("egress", []))
        > (component(each) in STORE)
    }

    assert calling == {"web", "duties"}


def test_from_outside_the_ingress_reaches_web_and_prometheus_who_is_measured() -> None:
    entered = {
        role: {each["port"] for rule in p["spec"].get("ingress", []) for each in rule["ports"]}
        for role, p in of_kind("prod", "NetworkPolicy").items()
    }

    measured = {role: {9100} for role in ("relay", "worker", "bulk", "duties")}
    assert {role: ports for role, ports in entered.items() if ports} == measured | {"web": {8000}}


def test_keda_reaches_the_database_it_asks() -> None:
    rule = of_kind("keda", "NetworkPolicy")["postgres"]["spec"]["ingress"][0]

    assert any("namespaceSelector" in peer for peer in rule["from"])
    without = of_kind("dev", "NetworkPolicy")["postgres"]["spec"]["ingress"][0]
    assert not any("namespaceSelector" in peer for peer in without["from"])


def test_tls_ends_at_the_ingress_for_every_name() -> None:
    ingress = of_kind("prod", "Ingress")["web"]["spec"]

    assert ingress["tls"] == [{"hosts": ["ml.example.com"], "secretName": "mlservice-tls"}]
    assert [rule["host"] for rule in ingress["rules"]] == ["ml.example.com"]
    backend = ingress["rules"][0]["http"]["paths"][0]["backend"]["service"]
    assert backend == {"name": NAME, "port": {"name": "http"}}
    assert of_kind("least", "Ingress") == {}
