"""What Prometheus reads: the last audit, as it stands in the database, for who has the token."""

from typing import Any

import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from billing.models import AuditRun

pytestmark = pytest.mark.django_db

TOKEN = "only for scraping"


@pytest.fixture(autouse=True)
def token(settings: Settings) -> None:
    settings.METRICS_TOKEN = TOKEN


def scraped(client: Client) -> dict[str, list[tuple[dict[str, str], float]]]:
    answer = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.content.decode())
    return {one.name: [(s.labels, s.value) for s in one.samples] for one in families}


def test_each_rule_has_its_count_from_the_last_audit(client: Client) -> None:
    AuditRun.objects.create(counts={"I1_a": 5}, seconds=9.0)
    last = AuditRun.objects.create(counts={"I1_a": 0, "I2_b": 3}, seconds=1.5)
    last.refresh_from_db()

    read = scraped(client)

    assert read["ledger_drift"] == [({"rule": "I1_a"}, 0), ({"rule": "I2_b"}, 3)]
    assert read["ledger_audit_seconds"] == [({}, 1.5)]
    [(_, finished)] = read["ledger_audit_finished_timestamp_seconds"]
    assert finished == pytest.approx(last.finished_at.timestamp())


def test_before_the_first_audit_there_is_no_figure(client: Client) -> None:
    read = scraped(client)

    about_audits = [values for name, values in read.items() if name.startswith("ledger_")]
    assert about_audits == [[], [], []]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": TOKEN},
        {"Authorization": "Bearer \u00fc"},
        {"Authorization": "Bearer "},
    ],
)
def test_nobody_else_reads_it(client: Client, headers: Any) -> None:
    AuditRun.objects.create(counts={"I1_a": 5}, seconds=9.0)

    answer = client.get("/metrics", headers=headers)

    assert (answer.status_code, answer.content) == (401, b"")
    assert answer["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("sent", ["Bearer ", f"Bearer {TOKEN}", ""])
def test_without_the_setting_there_is_no_page(
    client: Client, settings: Settings, sent: str
) -> None:
    settings.METRICS_TOKEN = ""

    assert client.get("/metrics", headers={"Authorization": sent}).status_code == 404


def test_it_is_read_inside_without_tls(client: Client, settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True

    scraped(client)

    assert client.get("/dashboard").status_code == 301
