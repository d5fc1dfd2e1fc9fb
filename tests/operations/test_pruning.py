"""What is past its time goes: what was sent and got, by slices, and never a figure of the books."""

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from axes.models import AccessLog
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from billing.models import Hold, LedgerEntry, Wallet
from ml_models.models import ModelVersion
from mlservice.audit import run_checks
from mlservice.lib.ids import first_id_at
from mlservice.removal import Pruned, prune
from mlservice.tasks import prune as prune_duty
from predictions import removal, runner
from predictions.models import Prediction, Pruning
from predictions.removal import Outdated
from predictions.services import cancel_prediction
from tests.conftest import make_prediction

DAYS = 30
PageOf = Callable[[User], Client]
ApiOf = Callable[[User], APIClient]


@pytest.fixture(autouse=True)
def policy(settings: Any) -> None:
    settings.PREDICTION_RETENTION_DAYS = DAYS


def aged(prediction: Prediction, *, days: float) -> UUID:
    """Let a prediction have been sent and finished so many days ago, under an id of then."""
    then = timezone.now() - timedelta(days=days)
    ids = Prediction.objects.filter(pk=prediction.pk)
    finished = None if prediction.completed_at is None else then
    ids.update(created_at=then, completed_at=finished)
    new = UUID(int=first_id_at(then).int | prediction.pk.int & (1 << 80) - 1)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE predictions_prediction SET id = %s WHERE id = %s", [new, prediction.pk]
        )
    Hold.objects.filter(pk=prediction.hold_id).update(reference_id=str(new))
    return new


def finished(user: User, *, days: float, **fields: Any) -> UUID:
    """Give the id of a canceled prediction of so many days ago."""
    return aged(cancel_prediction(prediction=make_prediction(user, **fields)), days=days)


def with_data() -> set[UUID]:
    return set(Prediction.objects.filter(data_removed=False).values_list("pk", flat=True))


def money() -> list[Any]:
    """Return every figure of the books."""
    figures = (Wallet, ("balance", "held")), (Hold, ("amount", "captured", "refunded", "status"))
    rows = [list(model.objects.order_by("pk").values_list(*names)) for model, names in figures]
    entries = LedgerEntry.objects.order_by("pk").values_list("kind", "amount", "balance_after")
    costs = Prediction.objects.order_by("hold_id").values_list("cost", "price", "status")
    return [*rows, list(entries), list(costs)]


def test_only_what_finished_long_enough_ago_is_emptied(
    alice: User, published_version: ModelVersion
) -> None:
    old, young = finished(alice, days=DAYS + 1), finished(alice, days=DAYS - 1)

    pruned = prune()

    assert pruned == Pruned(predictions=1, sign_ins=0, sessions=0)
    assert with_data() == {young}
    emptied = Prediction.objects.get(pk=old)
    assert (emptied.input, emptied.output, emptied.metadata) == ("null", None, {})


def test_what_was_charged_is_told_as_before(
    api: ApiOf, page: PageOf, alice: User, published_version: ModelVersion
) -> None:
    sent = make_prediction(alice, metadata={"name": "Alice"})
    runner.run([sent.pk])
    # An entry cannot be told another reference; the policy moves instead of the prediction.
    before = money()

    removed, _ = Outdated.after(days=-1).remove(ends_at=float("inf"))

    told = api(alice).get(f"/api/v1/predictions/{sent.pk}").json()
    assert (removed, money()) == (1, before)
    assert (told["data_removed"], told["input"], told["output"]) == (True, None, None)
    assert (told["status"], told["cost"], told["metadata"]) == (
        "succeeded",
        published_version.price,
        {},
    )
    assert set(run_checks().values()) == {0}
    drawn = page(alice).get(f"/predictions/{sent.pk}").content.decode()
    assert "What was sent and what came back has been removed." in drawn
    assert page(alice).get(f"/predictions/{sent.pk}/results").status_code == 404
    assert page(alice).get("/predictions").status_code == 200


def test_a_request_that_is_sent_again_finds_its_prediction_though_it_is_emptied(
    api: ApiOf, alice: User, published_version: ModelVersion
) -> None:
    body = {"model": "linear-regression", "input": published_version.example}

    def send() -> Any:
        client = api(alice)
        return client.post("/api/v1/predictions", body, format="json", HTTP_IDEMPOTENCY_KEY="once")

    first = send().json()
    runner.run([UUID(first["id"])])
    Outdated.after(days=-1).remove(ends_at=float("inf"))

    again = send()

    assert (again.status_code, again["Idempotent-Replayed"]) == (201, "true")
    assert (again.json()["id"], again.json()["data_removed"]) == (first["id"], True)


def test_what_has_not_finished_is_kept_however_old_it_is(
    alice: User, published_version: ModelVersion
) -> None:
    waiting = aged(make_prediction(alice), days=DAYS + 5)

    prune()

    assert with_data() == {waiting}


def test_without_a_policy_nothing_is_removed(
    settings: Any, alice: User, published_version: ModelVersion
) -> None:
    settings.PREDICTION_RETENTION_DAYS = 0
    kept = finished(alice, days=10_000)

    prune()

    assert with_data() == {kept}


def test_nothing_is_kept_for_ever_unless_it_is_asked_for() -> None:
    text = (settings.BASE_DIR / ".env.example").read_text()

    assert "\nPREDICTION_RETENTION_DAYS=0\n" in text
    assert "\nSIGN_IN_RETENTION_DAYS=0\n" in text


def test_as_many_statements_are_run_as_there_are_slices(
    alice: User, published_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removal, "ROWS_A_SLICE", 3)

    def statements(count: int) -> int:
        for _ in range(count):
            finished(alice, days=DAYS + 1)
        # They are older than what an earlier run has done with.
        Pruning.objects.all().delete()
        with CaptureQueriesContext(connection) as asked:
            assert prune().predictions == count
        return len(asked)

    one, same, two = statements(1), statements(3), statements(6)

    # A slice is looked for, locked, written, between a savepoint and its release.
    assert (same - one, two - same) == (0, 5)


def test_a_run_out_of_time_goes_on_in_the_next(
    alice: User, published_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removal, "ROWS_A_SLICE", 2)
    for _ in range(5):
        finished(alice, days=DAYS + 1)
    moments = iter([0.0, 1.0, 2.0])
    clock = SimpleNamespace(monotonic=lambda: next(moments))
    monkeypatch.setattr("predictions.removal.time", clock)
    outdated = Outdated.after(days=DAYS)

    first = outdated.remove(ends_at=1.5)
    monkeypatch.undo()

    assert (first, len(with_data())) == ((4, False), 1)
    assert (prune().predictions, with_data()) == (1, set())


def test_a_later_run_does_not_look_again_at_what_is_emptied(
    alice: User, published_version: ModelVersion
) -> None:
    emptied = finished(alice, days=DAYS + 1)
    prune()

    noted = Pruning.objects.get()
    again = Outdated.after(days=DAYS)

    assert noted.removed == 1
    assert again.start == noted.reached > emptied


def test_what_is_kept_back_is_found_by_a_later_run(
    alice: User, published_version: ModelVersion
) -> None:
    """It was sent before others that are emptied, and finished after them."""
    late = aged(make_prediction(alice), days=DAYS + 5)
    finished(alice, days=DAYS + 1)
    prune()
    then = timezone.now() - timedelta(days=DAYS, hours=1)
    Prediction.objects.filter(pk=late).update(status="canceled", completed_at=then)

    second = prune()

    assert (second.predictions, with_data()) == (1, set())


def test_a_longer_policy_brings_no_run_back(
    settings: Any, alice: User, published_version: ModelVersion
) -> None:
    finished(alice, days=DAYS + 1)
    prune()
    reached = Pruning.objects.get().reached
    settings.PREDICTION_RETENTION_DAYS = 10 * DAYS

    prune()

    assert Pruning.objects.get().reached == reached


def test_a_dry_run_only_counts(alice: User, published_version: ModelVersion) -> None:
    finished(alice, days=DAYS + 1)
    out = StringIO()

    call_command("prune", "--dry-run", stdout=out)

    assert "Would remove: the data of 1 predictions, 0 notes on sign-ins" in out.getvalue()
    assert (len(with_data()), Pruning.objects.exists()) == (1, False)


def test_the_command_says_what_it_removed(alice: User, published_version: ModelVersion) -> None:
    finished(alice, days=DAYS + 1)
    out = StringIO()

    call_command("prune", stdout=out)

    assert "Kept rows and results of predictions: 30 days." in out.getvalue()
    assert "Removed: the data of 1 predictions" in out.getvalue()
    assert with_data() == set()


def test_notes_on_sign_ins_and_dead_sessions_go_as_well(
    settings: Any, page: PageOf, alice: User
) -> None:
    settings.SIGN_IN_RETENTION_DAYS = 7
    page(alice)
    Session.objects.create(session_key="dead", expire_date=timezone.now() - timedelta(hours=1))
    for days in (6, 8):
        log = AccessLog.objects.create(username="alice", ip_address="192.0.2.1")
        AccessLog.objects.filter(pk=log.pk).update(
            attempt_time=timezone.now() - timedelta(days=days)
        )

    pruned = prune()

    assert pruned == Pruned(predictions=0, sign_ins=1, sessions=1)
    assert AccessLog.objects.filter(ip_address="192.0.2.1").count() == 1
    assert not Session.objects.filter(session_key="dead").exists()
    assert Session.objects.exists()


@pytest.fixture
def notes_and_sessions(settings: Any) -> Callable[[], tuple[int, int]]:
    """Five outdated notes on sign-ins, five dead sessions; say how many of each are left."""
    settings.SIGN_IN_RETENTION_DAYS = 7
    then = timezone.now() - timedelta(days=8)
    for number in range(5):
        AccessLog.objects.create(username="alice", ip_address="192.0.2.1")
        Session.objects.create(session_key=f"dead-{number}", expire_date=then)
    AccessLog.objects.update(attempt_time=then)
    return lambda: (AccessLog.objects.count(), Session.objects.count())


def test_notes_and_sessions_go_by_slices_and_each_is_kept_by_itself(
    db: None,
    notes_and_sessions: Callable[[], tuple[int, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mlservice.removal.ROWS_A_SLICE", 2)

    with CaptureQueriesContext(connection) as asked:
        pruned = prune()

    deleted = [query["sql"] for query in asked if query["sql"].startswith("DELETE")]
    assert (len(deleted), notes_and_sessions()) == (6, (0, 0))
    assert pruned == Pruned(predictions=0, sign_ins=5, sessions=5)


def test_notes_and_sessions_without_time_left_go_in_the_next_run(
    db: None,
    notes_and_sessions: Callable[[], tuple[int, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mlservice.removal.ROWS_A_SLICE", 2)
    # The run begins, two slices of sessions are in time, nothing else is.
    moments = iter([0.0, 1.0, 1.0, *[9.0] * 9])
    clock = SimpleNamespace(monotonic=lambda: next(moments))
    monkeypatch.setattr("mlservice.removal.time", clock)

    first = prune(seconds=2)
    left = notes_and_sessions()
    monkeypatch.undo()
    second = prune()

    assert (first, left) == (Pruned(sign_ins=0, sessions=4, is_whole=False), (5, 1))
    assert (second, notes_and_sessions()) == (Pruned(sign_ins=5, sessions=1), (0, 0))


def test_the_duty_works_in_turns_at_night(alice: User, published_version: ModelVersion) -> None:
    duty: Any = settings.CELERY_BEAT_SCHEDULE["prune"]
    finished(alice, days=DAYS + 1)

    prune_duty()

    assert with_data() == set()
    assert duty["schedule"].hour == {3, 4, 5}
