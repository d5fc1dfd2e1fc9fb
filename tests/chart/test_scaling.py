"""How many pods run: by CPU, or by what waits, never by both controllers at once."""

import re

import pytest
from django.db import connection

from accounts.models import User
from ml_models.models import ModelVersion
from predictions.models import Prediction
from tests.chart.rendering import CASES, NAME, POOLS, SCALABLE, objects, of_kind
from tests.conftest import make_prediction

every_case = pytest.mark.parametrize("case", CASES)


def targets(case: str, kind: str) -> list[str]:
    return [
        each["spec"]["scaleTargetRef"]["name"] for each in objects(case) if each["kind"] == kind
    ]


@pytest.mark.parametrize("case", ["least", "dev", "prod"])
def test_every_scalable_component_is_scaled_by_its_cpu(case: str) -> None:
    scalers = of_kind(case, "HorizontalPodAutoscaler")

    assert scalers.keys() == SCALABLE
    for role, scaler in scalers.items():
        (metric,) = scaler["spec"]["metrics"]
        assert metric["resource"]["name"] == "cpu"
        assert scaler["spec"]["scaleTargetRef"] == {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": of_kind(case, "Deployment")[role]["metadata"]["name"],
        }


@every_case
def test_what_scales_a_deployment_is_one_and_states_the_number_alone(case: str) -> None:
    scaled = targets(case, "HorizontalPodAutoscaler") + targets(case, "ScaledObject")

    assert len(scaled) == len(set(scaled))
    for role, deployment in of_kind(case, "Deployment").items():
        is_scaled = f"{NAME}-{role}" in scaled
        assert ("replicas" in deployment["spec"]) == (not is_scaled)


@pytest.mark.parametrize("case", ["keda", "keda by prometheus"])
def test_keda_takes_over_the_workers_and_leaves_the_others(case: str) -> None:
    assert of_kind(case, "ScaledObject").keys() == POOLS
    assert of_kind(case, "HorizontalPodAutoscaler").keys() == SCALABLE - POOLS
    for scaled in of_kind(case, "ScaledObject").values():
        assert scaled["spec"]["triggers"][0]["type"] == "cpu"


def query(role: str) -> str:
    trigger = of_kind("keda", "ScaledObject")[role]["spec"]["triggers"][1]
    authentication = of_kind("keda", "TriggerAuthentication")["backlog"]
    assert trigger["authenticationRef"]["name"] == authentication["metadata"]["name"]
    return str(trigger["metadata"]["query"])


def test_what_keda_asks_the_database_is_the_backlog_of_each_lane(
    alice: User, published_version: ModelVersion
) -> None:
    for rows in (1, 100, 101):
        make_prediction(alice, input=[published_version.example] * rows)

    with connection.cursor() as cursor:
        counts = {}
        for role in ("worker", "bulk"):
            cursor.execute(query(role))
            counts[role] = cursor.fetchone()[0]

    assert counts == {"worker": 2, "bulk": 1}
    assert sum(counts.values()) == Prediction.objects.waiting().count()


@pytest.mark.parametrize("role", sorted(POOLS))
def test_the_history_is_not_read_for_it(db: None, role: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {query(role)}")
        plan = "\n".join(row[0] for row in cursor.fetchall())

    assert {"prediction_to_publish", "prediction_published"} <= set(re.findall(r"\w+", plan))
    assert "Seq Scan" not in plan


@every_case
def test_a_drain_takes_one_pod_of_a_role_at_a_time(case: str) -> None:
    budgets = of_kind(case, "PodDisruptionBudget")

    assert budgets.keys() == SCALABLE & of_kind(case, "Deployment").keys()
    assert {budget["spec"]["maxUnavailable"] for budget in budgets.values()} == {1}


def test_production_runs_two_of_what_people_wait_for() -> None:
    least = {
        role: each["spec"]["minReplicas"]
        for role, each in of_kind("prod", "HorizontalPodAutoscaler").items()
    }

    assert {role for role, count in least.items() if count >= 2} == SCALABLE - {"duties"}


def test_the_metric_that_keda_asks_prometheus_for_is_one_of_the_rules() -> None:
    asked = {
        re.search(r"\w+_\w+", each["spec"]["triggers"][1]["metadata"]["query"])[0]  # type: ignore[index]
        for each in of_kind("keda by prometheus", "ScaledObject").values()
    }
    rules = str(of_kind("prod", "PrometheusRule")["alerts"]["spec"])

    assert {metric for metric in asked if metric not in rules} == set()
