"""What every pod of the release is given, and what it may do."""

import re

import pytest

from mlservice.celery import app
from tests.chart.rendering import (
    CASES,
    COMPONENT,
    JOBS,
    LASTING,
    LEAST,
    NAME,
    ROOT,
    STORES,
    WORKLOADS,
    component,
    containers,
    manifests,
    merged,
    objects,
    of_kind,
    pod_template,
    pods,
    variables,
)

every_case = pytest.mark.parametrize("case", CASES)


def test_every_role_of_the_image_runs() -> None:
    script = (ROOT / "deploy" / "role.sh").read_text()

    assert pods("least", "Deployment").keys() == LASTING
    assert pods("least", "Job").keys() == JOBS
    assert pods("dev", "StatefulSet").keys() == STORES
    for role, pod in pods("least", "Deployment", "Job").items():
        assert pod["containers"][0]["args"] == [role]
        assert f"\n  {role})" in script


@every_case
def test_what_lasts_has_three_probes_in_each_container(case: str) -> None:
    for pod in pods(case, "Deployment", "StatefulSet").values():
        for container in pod["containers"]:
            assert {"startupProbe", "livenessProbe", "readinessProbe"} <= container.keys()


def test_workers_are_asked_by_the_health_check_of_their_role() -> None:
    for role, pod in pods("least", "Deployment").items():
        probe = pod["containers"][0]["livenessProbe"]
        if role == "web":
            assert probe["httpGet"]["path"] == "/livez"
        else:
            asked = ["python", "deploy/health.py", role]
            assert probe["exec"]["command"] == asked


@every_case
def test_every_pod_passes_the_restricted_standard(case: str) -> None:
    for pod in pods(case).values():
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert {"hostNetwork", "hostPID", "hostIPC"}.isdisjoint(pod)
        for container in containers(pod):
            rights = container["securityContext"]
            assert rights["readOnlyRootFilesystem"]
            assert rights["capabilities"] == {"drop": ["ALL"]}
            assert not rights["allowPrivilegeEscalation"]
        kinds = {kind for volume in pod["volumes"] for kind in volume} - {"name"}
        assert kinds <= {"emptyDir", "configMap", "projected"}


@every_case
def test_every_container_states_what_it_takes_and_what_lies_on_a_node_is_bounded(case: str) -> None:
    for pod in pods(case).values():
        for container in containers(pod):
            for bound in ("requests", "limits"):
                assert container["resources"][bound].keys() == {"cpu", "memory"}
        for volume in pod["volumes"]:
            assert "emptyDir" not in volume or "sizeLimit" in volume["emptyDir"]


@every_case
def test_what_is_mounted_exists(case: str) -> None:
    maps = {each["metadata"]["name"] for each in objects(case) if each["kind"] == "ConfigMap"}
    for workload in (each for each in objects(case) if each["kind"] in WORKLOADS):
        pod = pod_template(workload)["spec"]
        claims = workload["spec"].get("volumeClaimTemplates", [])
        volumes = {volume["name"] for volume in pod["volumes"]}
        volumes |= {claim["metadata"]["name"] for claim in claims}
        mounted = {m["name"] for c in containers(pod) for m in c.get("volumeMounts", [])}
        assert volumes - {"vault-token"} == mounted
        used = {v["configMap"]["name"] for v in pod["volumes"] if "configMap" in v}
        used |= {
            source["configMapRef"]["name"]
            for container in containers(pod)
            for source in container.get("envFrom", [])
        }
        assert used <= maps


@every_case
def test_selectors_find_their_own_pods_and_no_others(case: str) -> None:
    templates = {
        component(each): pod_template(each)["metadata"]["labels"]
        for each in objects(case)
        if each["kind"] in WORKLOADS
    }

    for kind in ("Deployment", "StatefulSet", "PodDisruptionBudget"):
        for role, each in of_kind(case, kind).items():
            selector = each["spec"]["selector"]["matchLabels"]
            found = {
                name for name, labels in templates.items() if selector.items() <= labels.items()
            }
            assert found == {role}
    for role, service in of_kind(case, "Service").items():
        assert templates[role].items() >= service["spec"]["selector"].items()
        assert service["spec"]["selector"][COMPONENT] == role
        ports = {port["name"] for c in pods(case)[role]["containers"] for port in c["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


def test_there_are_never_two_beats() -> None:
    for case in CASES:
        beat = of_kind(case, "Deployment")["beat"]["spec"]
        assert beat["replicas"] == 1
        assert beat["strategy"] == {"type": "Recreate"}


def test_who_serves_waits_within_bounds_and_the_jobs_are_no_hooks() -> None:
    waited = {
        role: [c["args"][1] for c in pod.get("initContainers", []) if "args" in c]
        for role, pod in pods("dev", "Deployment", "Job").items()
        if role != "bucket"
    }

    assert waited == {
        "web": ["migrations"],
        "relay": ["migrations"],
        "worker": ["migrations", "models"],
        "bulk": ["migrations", "models"],
        "duties": ["migrations"],
        "beat": [],
        "migrate": ["database"],
        "models": ["migrations"],
    }
    for pod in pods("dev", "Deployment", "Job").values():
        for container in pod.get("initContainers", []):
            assert "args" not in container or container["args"][2:] == ["--seconds", "600"]
    for case in CASES:
        for role, job in of_kind(case, "Job").items():
            assert "annotations" not in job["metadata"]
            assert job["metadata"]["name"] == f"{NAME}-{role}-1"
            assert job["spec"]["activeDeadlineSeconds"] > 600


def test_nobody_waits_for_models_that_no_job_publishes() -> None:
    worker = pods("one pool", "Deployment")["worker"]

    assert [each["name"] for each in worker["initContainers"]] == ["wait-for-migrations"]


def test_a_stop_interrupts_no_task() -> None:
    app.loader.import_default_modules()
    limits = {n: t.time_limit for n, t in app.tasks.items() if not n.startswith("celery.")}
    duties = max(limit for name, limit in limits.items() if name != "predictions.run" and limit)

    for role, pod in pods("least", "Deployment").items():
        limit = duties if role == "duties" else app.conf.task_time_limit
        assert pod["terminationGracePeriodSeconds"] > limit


def test_a_longer_time_limit_lengthens_the_stop() -> None:
    made = manifests(merged(LEAST, {"config": {"PREDICTION_TIME_LIMIT_SECONDS": 300}}))
    stops = {
        component(each): each["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        for each in made
        if each["kind"] == "Deployment"
    }

    assert min(stops.values()) > 300


def test_large_predictions_have_nodes_of_their_own_unless_there_is_one_pool() -> None:
    two, one = (of_kind(case, "ConfigMap")["config"]["data"] for case in ("least", "one pool"))

    assert two["WORKER_QUEUES"] == "predictions"
    assert one["WORKER_QUEUES"] == "predictions,bulk"
    assert "bulk" not in pods("one pool")


def test_the_probes_name_and_the_pods_address_are_allowed_beside_peoples() -> None:
    hosts = variables(pods("least")["web"]["containers"][0])["ALLOWED_HOSTS"]["value"]
    names = list(variables(pods("least")["web"]["containers"][0]))

    assert hosts == "ml.example.com,127.0.0.1,$(POD_IP)"
    # Only what stands before it can be named in a value.
    assert names.index("POD_IP") < names.index("ALLOWED_HOSTS")


def test_pods_of_a_role_are_spread_over_nodes_and_zones() -> None:
    for role, pod in pods("prod", "Deployment").items():
        keys = {each["topologyKey"] for each in pod.get("topologySpreadConstraints", [])}
        both = {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
        assert keys == (set() if role == "beat" else both)


def test_variables_of_the_configuration_are_ones_the_service_reads() -> None:
    listed = set(re.findall(r"^([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.M))
    named = {
        name
        for case in CASES
        for pod in pods(case, "Deployment", "Job").values()
        for container in containers(pod)
        if container["image"].startswith("mlservice")
        for name in variables(container)
    }
    given = {name for case in CASES for name in of_kind(case, "ConfigMap")["config"]["data"]}

    # boto3 reads the region; POD_IP is named in another's value.
    unknown = (named | given) - listed - {"AWS_DEFAULT_REGION", "POD_IP"}
    assert {name for name in unknown if name.removesuffix("_FILE") not in listed} == set()
