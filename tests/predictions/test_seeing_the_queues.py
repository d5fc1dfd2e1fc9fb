"""Operators see what waits, runs, died and works; more rows take no more queries."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import call_command
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from ml_models.models import ModelVersion
from mlservice.lib.ids import new_id
from predictions import selectors, status
from predictions.dispatch import mark_group, record_heartbeat
from predictions.errors import AlreadyDiscarded
from predictions.models import DeadLetter, Prediction
from predictions.services import claim, discard_dead_letter
from predictions.status import queue_status
from tests.conftest import make_prediction

Page = Callable[[User], Client]
WORKERS = "/admin/predictions/worker/"
LETTERS = "/admin/predictions/deadletter/"


def make_dead_letter(**fields: Any) -> DeadLetter:
    return DeadLetter.objects.create(
        **{"queue": "predictions", "task": "predictions.lost", "reason": "rejected"} | fields
    )


def queries(client: Client, address: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as counted:
        assert client.get(address).status_code == 200
    return len(counted)


def test_each_lane_is_counted(settings: Any, alice: User, published_version: ModelVersion) -> None:
    settings.PREDICTION_BULK_ROWS = 2
    record_heartbeat(name="node", children=3, queues=["predictions", "bulk"])
    running = [make_prediction(alice) for _ in range(3)][1]
    make_prediction(alice, input=[published_version.example] * 3)
    mark_group(new_id(), max_rows=2)
    claim([running.pk])

    small, large = queue_status()["lanes"]

    assert small["queue"] == "predictions"
    assert (small["window"], small["waiting"], small["unpublished"]) == (3, 2, 1)
    assert (small["groups_out"], small["processing"]) == (1, 1)
    assert (large["queue"], large["window"], large["waiting"]) == ("bulk", 2, 1)
    assert 0 <= large["oldest"] < 60


def test_leases_letters_and_nodes_are_counted(alice: User, published_version: ModelVersion) -> None:
    claim([make_prediction(alice).pk])
    make_dead_letter()
    discarded = make_dead_letter()
    discard_dead_letter(letter=discarded, actor_id=alice.pk)
    record_heartbeat(name="node", children=3, queues=["duties"])

    found = queue_status()

    assert (found["leases"]["count"], found["leases"]["expired"]) == (1, 0)
    assert 0 <= found["leases"]["oldest"] < 60
    assert found["dead_letters"] == 1
    assert [(node["name"], node["queues"], node["is_alive"]) for node in found["workers"]] == [
        ("node", ["duties"], True)
    ]


def test_an_empty_service_is_told_too(db: None) -> None:
    found = queue_status()

    assert [lane["waiting"] for lane in found["lanes"]] == [0, 0]
    assert found["leases"] == {"count": 0, "expired": 0, "oldest": None}


def test_the_command_prints_for_people_and_for_programs(
    alice: User, published_version: ModelVersion, capsys: pytest.CaptureFixture[str]
) -> None:
    make_prediction(alice)
    record_heartbeat(name="node@host", children=2, queues=["predictions", "bulk"])

    call_command("queue_status")
    table = capsys.readouterr().out
    call_command("queue_status", json=True)
    document = json.loads(capsys.readouterr().out)

    assert "node@host" in table
    assert "predictions,bulk" in table
    assert "dead letters 0" in table
    assert document["lanes"][0]["waiting"] == 1


def test_the_desk_shows_it_in_a_fixed_number_of_queries(
    staff: User, page: Page, alice: User, published_version: ModelVersion
) -> None:
    client = page(staff)
    counts = []
    for size in (3, 30):
        for number in range(size):
            record_heartbeat(name=f"node{number}", children=1, queues=["predictions"])
            make_dead_letter()
            make_prediction(alice)
        client.get(WORKERS)
        counts.append((queries(client, WORKERS), queries(client, LETTERS)))

    assert counts[0] == counts[1]
    assert "Dead letters: 33" in client.get(WORKERS).content.decode()


def test_only_operators_see_it(alice: User, page: Page) -> None:
    for address in (WORKERS, LETTERS):
        assert page(alice).get(address).status_code == 302


def test_a_dead_letter_is_discarded_by_somebody_and_that_is_logged(staff: User, page: Page) -> None:
    letter, other = make_dead_letter(), make_dead_letter()

    page(staff).post(LETTERS, {"action": "discard", "_selected_action": [letter.pk]})

    letter.refresh_from_db()
    assert letter.discarded_at is not None
    assert letter.discarded_by == staff
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id) == (staff, str(letter.pk))
    left = page(staff).get(LETTERS, {"discarded": "no"}).context["cl"].result_list
    assert list(left) == [other]


def test_a_dead_letter_is_discarded_once(staff: User) -> None:
    letter = make_dead_letter()
    discard_dead_letter(letter=letter, actor_id=staff.pk)

    with pytest.raises(AlreadyDiscarded):
        discard_dead_letter(letter=letter, actor_id=staff.pk)


def test_a_dead_letter_cannot_be_changed_or_removed(staff: User, page: Page) -> None:
    letter = make_dead_letter(body="<script>alert(1)</script>")
    client = page(staff)

    shown = client.get(f"{LETTERS}{letter.pk}/change/").content.decode()

    assert "<script>alert(1)" not in shown
    assert "&lt;script&gt;alert(1)" in shown
    assert client.post(f"{LETTERS}{letter.pk}/delete/").status_code == 403
    assert client.post(f"{LETTERS}{letter.pk}/change/", {"body": ""}).status_code == 403


def plan_of(query: str, **parameters: Any) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {query}", parameters)
        return "\n".join(row[0] for row in cursor.fetchall())


def test_the_lanes_are_counted_by_partial_indexes_however_many_have_finished(db: None) -> None:
    plan = plan_of(status.OF_LANES, bulk=100)

    for index in ("prediction_to_publish", "prediction_published", "prediction_leased"):
        assert f"Bitmap Index Scan on {index}" in plan


def test_the_backlog_is_counted_by_partial_indexes_however_many_have_finished(
    alice: User, published_version: ModelVersion
) -> None:
    out, begun, _ = (make_prediction(alice) for _ in range(3))
    Prediction.objects.filter(pk=out.pk).update(published_at=Now())
    Prediction.objects.filter(pk=begun.pk).update(status="processing")
    selectors.forget_backlog()

    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    plan = Prediction.objects.waiting().explain()

    assert selectors.backlog() == 2
    assert "prediction_to_publish" in plan
    assert "prediction_published" in plan
