"""What is done with the stack, step by step; each step says in one line what it has shown."""

import json
import os
import ssl
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from tests.compose import containers, images
from tests.compose.client import Client
from tests.compose.containers import compose, inspected, service

FILES = "docker-compose.yml:tests/compose/local.yml"
HEALTHY_SECONDS = 120
KILLED = {"web", "relay", "worker", "beat", "rabbitmq", "postgres"}
MEASURED = {"mlservice-web", "mlservice-relay", "mlservice-worker", "mlservice-duties", "rabbitmq"}


class Report:
    """What happened when, on the screen and in a file, without the name of the work folder."""

    def __init__(self, path: Path, work: Path) -> None:
        self.work, self.started = str(work), time.monotonic()
        self.file = path.open("w", encoding="utf-8")

    def say(self, line: str) -> None:
        seconds = time.monotonic() - self.started
        told = f"{seconds:6.1f} s  {line}".replace(self.work, "<work>")
        for file in (sys.stdout, self.file):
            file.write(f"{told}\n")
            file.flush()


def start(checkout: Path, report: Report) -> None:
    """Take the road of a user, and see what it ends with."""
    said = subprocess.run(["./init.sh", "--docker"], cwd=checkout, capture_output=True, text=True)
    assert said.returncode == 0, f"{said.stdout[-4000:]}\n{said.stderr[-4000:]}"
    report.say("./init.sh --docker: every container healthy, the demo seeded; it ends with")
    for line in said.stdout[said.stdout.rindex("Linear Regression: predicted") :].splitlines():
        words = line.split()
        hidden = words[-1] if words[:1] in (["operator"], ["client"]) else "\0"
        report.say(f"  | {line}".replace(hidden, "<password>").rstrip())
    for name, size in images.sizes().items():
        report.say(f"image {name}: {size / 1e6:.0f} MB")


def buy(checkout: Path, report: Report) -> None:
    for model, value in Client().buy_one_of_each().items():
        report.say(f"through port 80: {model} predicted {value:,.2f}, charged as priced")
    audit(checkout, report)


def audit(checkout: Path, report: Report) -> None:
    said = compose("exec", "-T", "web", "python", "manage.py", "audit_ledger", cwd=checkout)
    report.say(f"audit_ledger: {said.strip().splitlines()[-1]}")


def look(checkout: Path, report: Report) -> None:
    found = inspected(checkout)
    values = [file.read_text() for file in (checkout / "secrets").iterdir()]
    containers.check_rights(found, [value for value in values if value])
    report.say(
        f"{len(found)} containers: none root, all with a read-only root, no capabilities, limits of"
        " memory, processors and processes, no secret in environment or command; only the"
        " proxy published"
    )
    users = containers.check_users(found)
    report.say("users: " + ", ".join(f"{name} {user}" for name, user in sorted(users.items())))
    for name in ("web", "models"):
        word = ["run", "--rm", "--no-deps", "--entrypoint", "sh", name, "-c"]
        compose(*word, "! command -v gcc cc g++ clang make pip", cwd=checkout)
    report.say("no compiler and no pip in either image")


def die_and_come_back(checkout: Path, report: Report) -> None:
    for one in inspected(checkout):
        if service(one) in KILLED:
            containers.kill(one)
    time.sleep(5)
    wait_until_healthy(checkout)
    counts = {service(one): one["RestartCount"] for one in inspected(checkout)}
    assert all(counts[name] for name in KILLED)
    Client().buy_one_of_each()
    report.say("web, relay, workers, beat, RabbitMQ and PostgreSQL killed at once: all came back")
    audit(checkout, report)


def wait_until_healthy(checkout: Path) -> None:
    deadline = time.monotonic() + HEALTHY_SECONDS
    while (unwell := unhealthy(checkout)) and time.monotonic() < deadline:
        time.sleep(1)
    assert not unwell, f"not healthy: {unwell}"


def unhealthy(checkout: Path) -> list[str]:
    lasting = [
        one
        for one in inspected(checkout)
        if one["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    ]
    return [
        service(one)
        for one in lasting
        if not one["State"]["Running"] or one["State"]["Health"]["Status"] != "healthy"
    ]


def restart(checkout: Path, report: Report) -> None:
    """Take the stack down and up again; the data and the secrets stay."""
    before = secret_values(checkout)
    subprocess.run(["./init.sh", "--docker", "stop"], cwd=checkout, check=True, capture_output=True)
    subprocess.run(["./init.sh", "--docker"], cwd=checkout, check=True, capture_output=True)
    assert secret_values(checkout) == before
    query = "from accounts.models import User; print(User.objects.count())"
    people = compose(
        "exec", "-T", "web", "python", "manage.py", "shell", "-v", "0", "-c", query, cwd=checkout
    )
    assert int(people) == 4, people
    Client().buy_one_of_each()
    report.say("./init.sh --docker stop and again: the data and the secrets are the same")


def secret_values(checkout: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in (checkout / "secrets").iterdir()}


def speak_tls(checkout: Path, report: Report) -> None:
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    made += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    made += ["-keyout", "secrets/tls_key", "-out", "secrets/tls_certificate"]
    subprocess.run(made, cwd=checkout, check=True, capture_output=True)
    for name in ("tls_key", "tls_certificate"):
        (checkout / "secrets" / name).chmod(0o444)
    os.environ["COMPOSE_FILE"] = f"{FILES}:deploy/tls/docker-compose.yml"
    compose("up", "--detach", cwd=checkout)
    wait_until_healthy(checkout)
    certificate = str(checkout / "secrets" / "tls_certificate")
    Client("https://localhost", trusts=certificate).buy_one_of_each()
    context = ssl.create_default_context(cafile=certificate)
    with urllib.request.urlopen("http://localhost/", timeout=10, context=context) as answer:
        assert answer.url == "https://localhost/", answer.url
    report.say("deploy/tls: predictions bought over https; http leads there")


def be_scraped(checkout: Path, report: Report) -> None:
    """Start Prometheus with its configuration and rules, and ask whom it reaches."""
    os.environ["COMPOSE_PROFILES"] = "monitoring"
    compose("up", "--detach", "prometheus", cwd=checkout)
    wait_until_healthy(checkout)
    deadline = time.monotonic() + 60
    while (missed := targets(checkout, up=False)) and time.monotonic() < deadline:
        time.sleep(2)
    assert not missed, f"Prometheus does not reach {missed}"
    reached = targets(checkout, up=True)
    assert set(reached) == MEASURED, reached
    rules = asked_of_prometheus(checkout, "rules")["groups"]
    alerts = [rule for group in rules for rule in group["rules"]]
    assert alerts
    assert not [rule for rule in alerts if rule["health"] == "err"]
    report.say(
        f"Prometheus: {len(reached)} of {len(reached)} targets up, {len(alerts)} alert rules"
    )


def targets(checkout: Path, *, up: bool) -> list[str]:
    active = asked_of_prometheus(checkout, "targets")["activeTargets"]
    return [one["labels"]["job"] for one in active if (one["health"] == "up") is up]


def asked_of_prometheus(checkout: Path, what: str) -> dict[str, Any]:
    address = f"http://127.0.0.1:9090/api/v1/{what}"
    said = compose("exec", "-T", "prometheus", "wget", "-qO-", address, cwd=checkout)
    data: dict[str, Any] = json.loads(said)["data"]
    return data


def stop(checkout: Path, report: Report) -> None:
    begun = time.monotonic()
    compose("stop", cwd=checkout)
    containers.check_ends(inspected(checkout))
    report.say(f"stopped in {time.monotonic() - begun:.0f} s: everyone ended by itself")


IN_ORDER = (start, buy, look, die_and_come_back, restart, speak_tls, be_scraped, stop)
