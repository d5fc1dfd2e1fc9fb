"""The whole service as its operators see it: its figures under load, its logs, its traces."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import requests

from tests.debian.ports import free_port
from tests.exits import end_with_the_parent
from tests.metrics.conftest import PASSWORD, ROW, TOKEN, Watched
from tests.metrics.named import FILES, Named, grouped, named

pytestmark = pytest.mark.whole

ROLES = ("web", "relay", "worker")
# Prometheus' own.
LABELS_OF_TARGETS = {"job", "instance"}
RUN_A_DUTY = "from billing.tasks import tell_low_balances; tell_low_balances.delay()"
DUTY = f"import django; django.setup(); {RUN_A_DUTY}"


@pytest.fixture(scope="module")
def loaded(watched: Watched) -> Watched:
    """Sixty predictions by eight at once, a duty and an audit: something of everything."""
    watched.service.manage("audit_ledger")
    assert watched.service.run_python("-c", DUTY).returncode == 0
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: watched.predict(), range(60)))
    assert {answer.status_code for answer in answers} == {201}
    requests.get(f"{watched.service.base_url}/no-such-page", timeout=10)
    watched.service.wait_until(lambda: duties_of(watched) == 1, "the duty has run")
    return watched


def duties_of(watched: Watched) -> float:
    return float(sum(one.value for one in watched.scrape("worker")["mlservice_duties_total"]))


@pytest.fixture(scope="module")
def shown(loaded: Watched) -> dict[str, list[Any]]:
    """What all roles show together."""
    found: dict[str, list[Any]] = {}
    for role in ROLES:
        for name, samples in loaded.scrape(role).items():
            found.setdefault(name, []).extend(samples)
    return found


def test_alerts_and_dashboards_name_something() -> None:
    assert len({one.metric for one in named()}) > 40


@pytest.mark.parametrize("one", named(), ids=lambda one: f"{one.where}-{one.metric}")
def test_what_is_named_is_there(shown: dict[str, list[Any]], one: Named) -> None:
    samples = shown.get(one.metric, [])

    fitting = [sample for sample in samples if fits(sample.labels, one)]

    assert samples, f"{one.where} asks for {one.metric}, which nobody shows"
    assert fitting, f"{one.where}: no {one.metric} has {one.matchers}"
    labels = {name for sample in samples for name in sample.labels} | LABELS_OF_TARGETS
    assert {name for name, _, _ in one.matchers} <= labels


@pytest.mark.parametrize(("where", "label", "metrics"), grouped())
def test_what_figures_are_grouped_by_is_a_label_of_theirs(
    shown: dict[str, list[Any]], where: str, label: str, metrics: set[str]
) -> None:
    labels = {name for metric in metrics for sample in shown[metric] for name in sample.labels}

    assert label in labels | LABELS_OF_TARGETS, where


def fits(labels: dict[str, str], one: Named) -> bool:
    return all(labels.get(name) == value for name, how, value in one.matchers if how == "=")


def test_processes_of_a_role_add_up(loaded: Watched) -> None:
    posted = {"route": "api_predictions", "method": "POST", "status": "2xx"}

    answers = {total(loaded.scrape("web"), "mlservice_http_requests_total", posted) for _ in "1234"}

    assert answers == {60}
    worker = loaded.scrape("worker")
    made = {"model": "linear-regression", "version": "1", "status": "succeeded"}
    assert total(worker, "mlservice_model_predictions_total", made) == 60
    assert total(worker, "mlservice_ledger_credits_total", {"kind": "capture"}) == 60
    assert total(worker, "mlservice_worker_group_predictions_sum", {}) == 60
    published = total(loaded.scrape("relay"), "mlservice_relay_predictions_total", {})
    taken_along = total(worker, "mlservice_worker_predictions_taken_along_total", {})
    assert published > 0
    assert published + taken_along == 60
    top_ups = {"kind": "top_up", "direction": "in"}
    assert total(loaded.scrape("web"), "mlservice_ledger_credits_total", top_ups) == 1_000


def total(scraped: dict[str, list[Any]], metric: str, labels: dict[str, str]) -> float:
    chosen = [one for one in scraped.get(metric, []) if labels.items() <= one.labels.items()]
    return float(sum(one.value for one in chosen))


def test_a_lost_childs_counts_stay_and_its_processes_are_seen(loaded: Watched) -> None:
    def children() -> float:
        return total(loaded.scrape("worker"), "mlservice_children", {})

    before = loaded.scrape("worker")
    [one, _] = loaded.service.children("worker")
    os.kill(one, signal.SIGKILL)
    loaded.service.wait_until(lambda: one not in loaded.service.children("worker"), "it is gone")
    loaded.service.wait_until(lambda: children() == 2, "another took its place")

    after = loaded.scrape("worker")
    for metric in ("mlservice_model_predictions_total", "mlservice_worker_claim_seconds_count"):
        assert total(after, metric, {}) == total(before, metric, {}) > 0
    memory = {"process": "largest_child"}
    assert total(after, "mlservice_process_memory_bytes", memory) > 50_000_000


def test_no_label_names_a_path_or_a_person(shown: dict[str, list[Any]]) -> None:
    values = {
        value for samples in shown.values() for one in samples for value in one.labels.values()
    }

    assert "none" in values
    assert not [value for value in values if "no-such-page" in value or "watched" in value]


@pytest.mark.parametrize("role", ["relay", "worker"])
def test_ports_of_metrics_answer_nobody_else(watched: Watched, role: str) -> None:
    address = f"http://127.0.0.1:{watched.ports[role]}"
    right = {"Authorization": f"Bearer {TOKEN}"}

    assert requests.get(f"{address}/metrics", timeout=5).status_code == 401
    wrong = {"Authorization": "Bearer wrong"}
    assert requests.get(f"{address}/metrics", headers=wrong, timeout=5).status_code == 401
    assert requests.get(f"{address}/other", headers=right, timeout=5).status_code == 404


# --- Logs ----------------------------------------------------------------------------


def lines_of(watched: Watched, role: str) -> list[dict[str, Any]]:
    written = (watched.service.folder / f"{role}.log").read_text()
    return [json.loads(line) for line in written.splitlines() if line.startswith("{")]


def test_the_proxys_request_id_is_on_every_line_of_its_way(loaded: Watched) -> None:
    answer = loaded.predict(**{"X-Request-ID": "seen-by-the-proxy-42"})

    def events(role: str) -> set[str]:
        return {
            line["event"]
            for line in lines_of(loaded, role)
            if "seen-by-the-proxy-42" in (line.get("request_id"), *(line.get("request_ids") or []))
        }

    assert answer.headers["X-Request-ID"] == "seen-by-the-proxy-42"
    kept = "SELECT request_id FROM predictions_prediction WHERE id = %s"
    assert loaded.service.query(kept, [answer.json()["id"]]) == [("seen-by-the-proxy-42",)]
    assert {"request_started", "request_finished"} <= events("web")
    assert "group_published" in events("relay")
    loaded.service.wait_until(
        lambda: {"predictions_claimed", "predictions_settled"} <= events("worker"),
        "the worker's lines name the request",
    )


@pytest.mark.parametrize("sent", ["x" * 65, "two words", "\u00fc"])
def test_an_id_that_does_not_fit_is_replaced(watched: Watched, sent: str) -> None:
    answer = watched.predict(**{"X-Request-ID": sent.encode("latin-1").decode("latin-1")})

    assert answer.status_code == 201
    assert UUID(answer.headers["X-Request-ID"])


def test_no_log_and_no_trace_holds_a_row_or_a_secret(loaded: Watched) -> None:
    answer = loaded.predict(**{"Idempotency-Key": "KEY-MARKED-7391"})
    told = {one: (loaded.service.folder / f"{one}.log").read_text() for one in ROLES}
    told["traces"] = loaded.collector.told()
    [refresh] = [loaded.post("auth/token", {"username": "watched", "password": PASSWORD}).json()]
    secrets = {
        *(str(value) for value in ROW.values()),
        str(answer.json()["output"][0]["prediction"]),
        *("PASSWORD-7391", "KEY-MARKED-7391", TOKEN, loaded.access, refresh["refresh"]),
        *(loaded.service.env[name] for name in ("SECRET_KEY", "JWT_SIGNING_KEY")),
    }

    found = {
        (where, secret[:12]) for where, text in told.items() for secret in secrets if secret in text
    }

    assert all(len(text) > 1_000 for text in told.values())
    assert found == set()


# --- Traces --------------------------------------------------------------------------


def test_a_prediction_is_followed_through_web_relay_and_worker(loaded: Watched) -> None:
    trace_id, parent_id = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    answer = loaded.predict(traceparent=f"00-{trace_id}-{parent_id}-01")
    prediction = UUID(answer.json()["id"])

    def spans(name: str) -> list[Any]:
        return [one for one in loaded.collector.spans() if one.name == name]

    def about(name: str) -> list[Any]:
        return [
            one for one in spans(name) if prediction.bytes in [link.trace_id for link in one.links]
        ]

    loaded.service.wait_until(
        lambda: bool(about("publish group") and about("predict group")), "the spans have come"
    )
    [request] = [one for one in spans("POST api_predictions") if one.trace_id.hex() == trace_id]
    assert request.parent_span_id.hex() == parent_id
    [made] = [one for one in spans("prediction") if one.trace_id == prediction.bytes]
    assert [link.span_id for link in made.links] == [request.span_id]
    [published], [predicted] = about("publish group"), about("predict group")
    assert predicted.trace_id == published.trace_id
    assert predicted.parent_span_id == published.span_id
    steps = {one.name for one in loaded.collector.spans() if one.trace_id == published.trace_id}
    assert {"claim", "predict", "settle"} <= steps


EVERYTHING = """
import sys, django
django.setup()
from django.test import Client
from django.core.handlers.wsgi import WSGIHandler
WSGIHandler()
import predictions.management.commands.run_relay, predictions.tasks, mlservice.tasks, mlservice.urls
print(sorted(name for name in sys.modules if name.startswith(("opentelemetry", "google"))))
"""


def test_without_a_collector_nothing_of_opentelemetry_is_loaded(watched: Watched) -> None:
    # Where it is installed, the client of the checkout's own broker looks for its API by itself.
    rabbitmq = "amqp://guest:guest@127.0.0.1:1//"
    off = {**watched.service.env, "OTEL_EXPORTER_OTLP_ENDPOINT": "", "BROKER_URL": rabbitmq}

    done = subprocess.run(
        [sys.executable, "-c", EVERYTHING], env=off, capture_output=True, text=True, check=False
    )

    assert done.stdout.strip() == "[]", done.stderr


# --- Prometheus itself ---------------------------------------------------------------


@pytest.fixture(scope="module")
def prometheus(loaded: Watched, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real one that scrapes the service each second, with our rules in a hurry."""
    if (binary := shutil.which("prometheus")) is None:
        pytest.skip("prometheus is missing: apt-get install prometheus")
    folder = tmp_path_factory.mktemp("prometheus")
    configure(folder, loaded)
    address = f"127.0.0.1:{free_port()}"
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [
                *(binary, f"--config.file={folder}/prometheus.yml"),
                *(f"--storage.tsdb.path={folder}/data", f"--web.listen-address={address}"),
            ],
            stdout=log,
            stderr=log,
            preexec_fn=lambda: end_with_the_parent(signal.SIGKILL),
        )
    try:
        yield f"http://{address}/api/v1"
    finally:
        process.terminate()
        process.wait(timeout=20)


def configure(folder: Path, watched: Watched) -> None:
    """Write a configuration like the one that is deployed; what waits for minutes waits for 1 s."""
    hurried = re.sub(r"for: \w+", "for: 1s", (FILES / "alerts.yaml").read_text())
    (folder / "alerts.yaml").write_text(hurried)
    jobs = [
        {
            "job_name": f"mlservice-{role}",
            "authorization": {"credentials": TOKEN},
            "static_configs": [{"targets": [f"127.0.0.1:{watched.ports[role]}"]}],
        }
        for role in ROLES
    ]
    each_second = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    document = {"global": each_second, "rule_files": ["alerts.yaml"], "scrape_configs": jobs}
    (folder / "prometheus.yml").write_text(json.dumps(document))


def rules_of(prometheus: str) -> dict[str, Any]:
    groups = requests.get(f"{prometheus}/rules", timeout=5).json()["data"]["groups"]
    return {rule["name"]: rule for group in groups for rule in group["rules"]}


def firing(prometheus: str) -> set[str]:
    return {name for name, rule in rules_of(prometheus).items() if rule["state"] == "firing"}


def targets(prometheus: str) -> dict[str, str]:
    active = requests.get(f"{prometheus}/targets", timeout=5).json()["data"]["activeTargets"]
    return {one["labels"]["job"]: one["health"] for one in active}


def answers(prometheus: str) -> bool:
    try:
        return list(targets(prometheus).values()) == ["up"] * len(ROLES)
    except (requests.RequestException, KeyError):
        return False


def test_prometheus_scrapes_all_and_evaluates_every_rule(loaded: Watched, prometheus: str) -> None:
    loaded.service.wait_until(lambda: answers(prometheus), "all three are scraped")
    time.sleep(5)

    rules = rules_of(prometheus)

    assert {rule["health"] for rule in rules.values()} == {"ok"}
    assert len(rules) == 31
    # Duties are sent by beat, which this service lacks; the child was killed by a test before.
    assert firing(prometheus) <= {"MLServiceDutiesStopped", "MLServiceChildrenLost"}


def test_real_faults_ring(loaded: Watched, prometheus: str) -> None:
    loaded.service.wait_until(lambda: answers(prometheus), "all three are scraped")
    expected = {
        *("MLServiceLedgerDrift", "MLServiceHeldDiffers", "MLServiceVersionBroken"),
        *("MLServiceRelayStopped", "MLServiceTargetDown", "MLServiceDeadLetters"),
    }
    assert not expected & firing(prometheus)

    # What no code of ours can do: an owner changes a balance by hand.
    loaded.service.query("UPDATE billing_wallet SET balance = balance + 5, held = held + 5")
    loaded.service.query(
        "INSERT INTO predictions_deadletter (queue, task, reason, headers, body)"
        " VALUES ('predictions', '?', 'rejected', '', '')"
    )
    loaded.service.query(
        "UPDATE ml_models_modelversion SET status = 'broken', broken_at = now()"
        " WHERE model_id = (SELECT id FROM ml_models_mlmodel"
        " WHERE slug = 'random-forest')"
    )
    assert loaded.service.try_manage("audit_ledger").returncode == 1
    loaded.service.kill("relay")

    loaded.service.wait_until(
        lambda: expected <= firing(prometheus), f"all of {expected} ring", timeout_seconds=90
    )
