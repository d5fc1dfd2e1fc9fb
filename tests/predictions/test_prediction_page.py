"""One prediction in the browser: it follows until the end, can be canceled and downloaded."""

import csv
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.template.loader import render_to_string
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from billing.services import wallet_of
from ml_models.models import ModelVersion
from predictions.models import Prediction
from predictions.runner import run
from tests.conftest import make_prediction

PageOf = Callable[[User], Client]
HTMX = {"HX-Request": "true"}


@pytest.fixture
def waiting(alice: User, published_version: ModelVersion) -> Prediction:
    return make_prediction(alice)


@pytest.fixture
def mixed(alice: User, published_version: ModelVersion) -> Prediction:
    """One row that fits, one that the model knows nothing like, one that breaks the schema."""
    example = published_version.example
    rows = [example, example | {"carat": 9.5}, example | {"cut": "=SUM(A1)"}]
    prediction = make_prediction(alice, input=rows)
    run([prediction.pk])
    return prediction


def test_a_waiting_prediction_is_asked_for_again_every_second(
    page: PageOf, alice: User, waiting: Prediction
) -> None:
    answer = page(alice).get(f"/predictions/{waiting.pk}")
    followed = page(alice).get(f"/predictions/{waiting.pk}", headers=HTMX)

    for shown in (answer, followed):
        assert shown.status_code == 200
        assert 'hx-trigger="every 1s"' in shown.content.decode()
    assert b"<html" not in followed.content


def test_an_unchanged_prediction_changes_nothing_but_its_progress(
    page: PageOf, alice: User, waiting: Prediction
) -> None:
    unchanged = page(alice).get(f"/predictions/{waiting.pk}?seen=starting", headers=HTMX)
    run([waiting.pk])
    changed = page(alice).get(f"/predictions/{waiting.pk}?seen=starting", headers=HTMX)

    assert (unchanged.status_code, unchanged["HX-Reswap"]) == (200, "none")
    assert unchanged.content.strip().startswith(b'<div class="progress" id="progress" hx-swap-oob')
    assert b'id="prediction"' not in unchanged.content
    assert (changed.status_code, "HX-Reswap" in changed) == (286, False)


def test_asking_again_reads_the_rows_only_once_the_status_is_another(
    page: PageOf, alice: User, waiting: Prediction
) -> None:
    client, address = page(alice), f"/predictions/{waiting.pk}?seen=starting"
    read = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            assert client.get(address, headers=HTMX).status_code in (200, 286)
        read.append(
            [one["sql"] for one in queries if '"predictions_prediction"."id"' in one["sql"]]
        )
        run([waiting.pk])

    unchanged, changed = read
    assert len(unchanged) == 1
    for column in ('"predictions_prediction"."input"', '"predictions_prediction"."output"'):
        assert column not in unchanged[0]
        assert column in changed[-1]


def test_the_asking_ends_with_the_prediction(
    page: PageOf, alice: User, waiting: Prediction
) -> None:
    run([waiting.pk])

    answer = page(alice).get(f"/predictions/{waiting.pk}", headers=HTMX)

    assert answer.status_code == 286
    assert b"hx-get" not in answer.content
    assert b"succeeded" in answer.content


def test_results_stand_beside_the_rows_that_were_sent(
    page: PageOf, alice: User, mixed: Prediction
) -> None:
    answer = page(alice).get(f"/predictions/{mixed.pk}")

    fits, doubtful, broken = answer.context["rows"]
    assert (fits.status, fits.notes) == ("succeeded", [])
    assert doubtful.notes == ["Carat: outside the training data (0.2 – 5.01)"]
    assert (broken.status, broken.prediction) == ("invalid", None)
    assert broken.notes[0].startswith("Cut: must be one of: Fair")
    assert b"2 credits" in answer.content


def test_the_download_holds_every_row_and_no_formula(
    page: PageOf, alice: User, mixed: Prediction
) -> None:
    answer = page(alice).get(f"/predictions/{mixed.pk}/results.csv")

    header, *rows = csv.reader(answer.content.decode().splitlines())
    mixed.refresh_from_db()
    predicted = mixed.output_value or []
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"].startswith('attachment; filename="linear-regression-')
    assert [float(row[header.index("prediction")]) for row in rows[:2]] == [
        entry["prediction"] for entry in predicted[:2]
    ]
    assert rows[2][header.index("cut")] == "'=SUM(A1)"
    assert [row[header.index("status")] for row in rows] == ["succeeded", "succeeded", "invalid"]


def test_an_unfinished_prediction_has_no_download(
    page: PageOf, alice: User, waiting: Prediction
) -> None:
    answer = page(alice).get(f"/predictions/{waiting.pk}/results.csv")

    assert answer.status_code == 404


def test_a_waiting_prediction_is_canceled_and_its_credits_are_free(
    page: PageOf, alice: User, waiting: Prediction
) -> None:
    answer = page(alice).post(f"/predictions/{waiting.pk}/cancel", follow=True)

    waiting.refresh_from_db()
    assert waiting.status == "canceled"
    assert wallet_of(alice.pk).held == 0
    assert b"canceled" in answer.content


def test_canceling_what_has_finished_only_says_so(
    page: PageOf, alice: User, mixed: Prediction
) -> None:
    answer = page(alice).post(f"/predictions/{mixed.pk}/cancel", follow=True)

    mixed.refresh_from_db()
    assert mixed.status == "succeeded"
    assert b"had finished before" in answer.content


@pytest.mark.parametrize("input", [[1, {}], ["x", {}], [{"cut": {"a": [1]}}, {}], [None, {}]])
def test_rows_that_are_no_rows_are_shown_all_the_same(
    page: PageOf, alice: User, published_version: ModelVersion, input: list[Any]
) -> None:
    prediction = make_prediction(alice, input=[input[0], published_version.example])
    run([prediction.pk])

    assert page(alice).get(f"/predictions/{prediction.pk}").status_code == 200
    assert page(alice).get(f"/predictions/{prediction.pk}/results.csv").status_code == 200


@pytest.mark.parametrize(
    ("method", "path"), [("get", ""), ("get", "/results.csv"), ("post", "/cancel")]
)
def test_a_stranger_finds_nothing(
    page: PageOf, bob: User, mixed: Prediction, method: str, path: str
) -> None:
    answer = getattr(page(bob), method)(f"/predictions/{mixed.pk}{path}")

    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("method", "path"), [("get", ""), ("get", "/results.csv"), ("post", "/cancel")]
)
def test_it_needs_a_sign_in(client: Client, mixed: Prediction, method: str, path: str) -> None:
    answer = getattr(client, method)(f"/predictions/{mixed.pk}{path}")

    assert answer.status_code == 302
    assert answer["Location"].startswith("/sign-in")


def test_canceling_takes_a_post(page: PageOf, alice: User, waiting: Prediction) -> None:
    assert page(alice).get(f"/predictions/{waiting.pk}/cancel").status_code == 405


def test_going_back_asks_anew_and_a_fragment_is_never_taken_for_the_page(
    page: PageOf, alice: User, waiting: Prediction
) -> None:
    answers = [
        page(alice).get(f"/predictions/{waiting.pk}"),
        page(alice).get(f"/predictions/{waiting.pk}?seen=starting", headers=HTMX),
    ]

    for answer in answers:
        assert "no-store" in answer["Cache-Control"]
        assert "HX-Request" in answer["Vary"]


def steps(page: str) -> list[str]:
    return re.findall(r'progress__step--(\w+)"', page)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("starting", ["current", "ahead", "ahead"]),
        ("processing", ["done", "current", "ahead"]),
        ("succeeded", ["done", "done", "done"]),
        ("failed", ["done", "done", "failed"]),
        ("canceled", ["done", "ahead", "canceled"]),
    ],
)
def test_each_status_is_a_step(status: str, expected: list[str]) -> None:
    shown = render_to_string("predictions/_progress.html", {"status": status, "elapsed": "2 s"})

    assert steps(shown) == expected
    assert shown.count('aria-current="step"') == expected.count("current")


def test_the_time_runs_until_the_end_and_then_stands(
    page: PageOf, alice: User, waiting: Prediction
) -> None:
    began = timezone.now() - timedelta(seconds=75)
    Prediction.objects.filter(pk=waiting.pk).update(created_at=began)
    path = f"/predictions/{waiting.pk}"

    running = page(alice).get(path).content.decode()
    run([waiting.pk])
    Prediction.objects.filter(pk=waiting.pk).update(completed_at=began + timedelta(seconds=7))
    ended = page(alice).get(path).content.decode()

    assert "1 min 15 s so far." in running
    assert "Ended after 7 s." in ended


def test_what_is_to_come_has_its_place_kept(page: PageOf, alice: User, waiting: Prediction) -> None:
    path = f"/predictions/{waiting.pk}"
    before = page(alice).get(path).content.decode()
    run([waiting.pk])
    after = page(alice).get(path).content.decode()

    for shown in (before, after):
        assert shown.count('class="figure-card__value') == 1
        assert "Outcome" in shown
        assert "<dt>Took</dt>" in shown
    assert "up to 1 credit" in " ".join(before.split())


def test_a_message_is_a_toast_that_closes_without_a_script(
    page: PageOf, alice: User, mixed: Prediction
) -> None:
    answer = page(alice).post(f"/predictions/{mixed.pk}/cancel", follow=True)

    shown = answer.content.decode()
    toast = shown.partition("<dialog")[2].partition("</dialog>")[0]
    assert 'role="status"' in toast
    assert "had finished before" in toast
    assert '<form method="dialog">' in toast
    assert "had finished before" not in shown.partition("<main")[2]
