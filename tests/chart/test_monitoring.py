"""What operators of the cluster are handed: who is scraped, which rules, which dashboards."""

import json
import re

import yaml

from tests.chart.rendering import (
    CHART,
    COMPONENT,
    LASTING,
    NAME,
    PROD,
    Object,
    component,
    manifests,
    of_kind,
    pod_template,
    pods,
    secret_keys,
)

MEASURED = LASTING - {"beat"}


def ports(role: str) -> set[str]:
    container = pods("prod", "Deployment")[role]["containers"][0]
    return {port["name"] for port in container.get("ports", [])}


def matches(selector: Object, labels: dict[str, str]) -> bool:
    expressions = selector.get("matchExpressions", [])
    named = all(labels[each["key"]] in each["values"] for each in expressions)
    return bool(selector["matchLabels"].items() <= labels.items()) and named


def test_every_measured_process_is_scraped_once() -> None:
    service = of_kind("prod", "Service")["web"]
    monitor = of_kind("prod", "ServiceMonitor")["web"]["spec"]
    pod_monitor = of_kind("prod", "PodMonitor")["workers"]["spec"]

    assert matches(monitor["selector"], service["metadata"]["labels"])
    assert {each["port"] for each in monitor["endpoints"]} == {
        each["name"] for each in service["spec"]["ports"]
    }
    scraped = {
        role
        for role, each in of_kind("prod", "Deployment").items()
        if matches(pod_monitor["selector"], pod_template(each)["metadata"]["labels"])
    }
    assert scraped == MEASURED - {"web"}
    for role in scraped:
        assert {each["port"] for each in pod_monitor["podMetricsEndpoints"]} <= ports(role)


def test_prometheus_shows_the_token_that_the_pods_ask_for() -> None:
    for case, secret in (("prod", f"{NAME}-app"), ("vault", "metrics")):
        endpoint = of_kind(case, "ServiceMonitor")["web"]["spec"]["endpoints"][0]
        assert endpoint["authorization"]["credentials"] == {"name": secret, "key": "METRICS_TOKEN"}
    asking = {
        role
        for role, each in of_kind("prod", "Deployment").items()
        if (f"{NAME}-app", "METRICS_TOKEN", False) in secret_keys(pod_template(each)["spec"])
    }
    assert asking == MEASURED


def test_the_alert_on_targets_knows_ours_by_however_long_a_release_is_named() -> None:
    rules = yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())["groups"][0]["rules"]
    [known] = re.findall(r'job=~"(.+?)"', rules[0]["expr"])

    # Helm allows no longer one.
    made = manifests(PROD, release="a-release-named-at-some-length-" + "x" * 22)

    # Prometheus names the job after the service, or after the monitor of pods.
    jobs = {
        each["metadata"]["name"]
        for each in made
        if each["kind"] == "PodMonitor" or (each["kind"], component(each)) == ("Service", "web")
    }
    assert len(jobs) == 2
    assert all(re.fullmatch(known, job) for job in jobs), jobs
    assert max(len(each["metadata"]["name"]) for each in made) <= 63


def test_the_rules_and_dashboards_are_the_files_word_for_word() -> None:
    rules = of_kind("prod", "PrometheusRule")["alerts"]["spec"]
    boards = of_kind("prod", "ConfigMap")["dashboards"]["data"]

    assert rules == yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())
    files = {each.name: each for each in (CHART / "files" / "dashboards").glob("*.json")}
    assert files
    assert boards.keys() == files.keys()
    for name, text in boards.items():
        assert json.loads(text) == json.loads(files[name].read_text())


def test_none_of_it_is_made_unless_it_is_asked_for() -> None:
    for kind in ("ServiceMonitor", "PodMonitor", "PrometheusRule"):
        assert of_kind("least", kind) == {}
    assert "dashboards" not in of_kind("least", "ConfigMap")


def test_every_object_says_what_it_belongs_to() -> None:
    for each in of_kind("prod", "Deployment").values():
        assert each["metadata"]["labels"][COMPONENT] == each["metadata"]["name"].removeprefix(
            f"{NAME}-"
        )
