"""How many predictions are ahead of one that waits: in the order in which the relay takes them."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from ml_models.models import ModelVersion
from predictions import turns
from predictions.dispatch import mark_group
from predictions.models import Prediction
from predictions.runner import run
from predictions.services import cancel_prediction
from predictions.turns import ahead_of, forget_turns
from tests.conftest import make_history, make_prediction

PageOf = Callable[[User], Client]
HTMX = {"HX-Request": "true"}

pytestmark = pytest.mark.usefixtures("published_version")


def places(*predictions: Prediction) -> list[int]:
    forget_turns()
    for one in predictions:
        one.refresh_from_db()
    return [ahead_of(one) for one in predictions]


def test_what_came_before_is_ahead(alice: User) -> None:
    made = [make_prediction(alice) for _ in range(3)]

    assert places(*made) == [0, 1, 2]


def test_users_take_turns(alice: User, bob: User) -> None:
    hers = [make_prediction(alice) for _ in range(3)]
    his = make_prediction(bob)

    assert places(*hers, his) == [0, 2, 3, 1]


def test_what_is_on_its_way_is_ahead_of_what_is_not(alice: User, bob: User) -> None:
    hers = [make_prediction(alice) for _ in range(2)]
    mark_group(hers[0].pk, max_rows=10)
    his = make_prediction(bob)

    assert places(*hers, his) == [0, 1, 2]


def test_what_was_tried_before_goes_first(alice: User, bob: User) -> None:
    hers, his = make_prediction(alice), make_prediction(bob)
    Prediction.objects.filter(pk=his.pk).update(attempt=1)

    assert places(hers, his) == [1, 0]


def test_each_lane_counts_for_itself(
    alice: User, published_version: ModelVersion, settings: Any
) -> None:
    settings.PREDICTION_BULK_ROWS = 2
    large = make_prediction(alice, input=[published_version.example] * 3)
    small = make_prediction(alice)

    assert places(large, small) == [0, 0]


def test_what_is_done_canceled_or_under_way_is_ahead_of_nobody(alice: User) -> None:
    done, canceled, working, waits = [make_prediction(alice) for _ in range(4)]
    run([done.pk])
    cancel_prediction(prediction=canceled)
    Prediction.objects.filter(pk=working.pk).update(status="processing")

    assert places(waits, working) == [0, 0]


def test_a_process_asks_once_a_second_whoever_watches(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000.0
    monkeypatch.setattr("predictions.turns.time.monotonic", lambda: now)
    first, last = make_prediction(alice), make_prediction(alice)

    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert [ahead_of(one) for one in (first, last, last)] == [0, 1, 1]
        run([first.pk])
        asked = sum("row_number" in query["sql"] for query in queries.captured_queries)
        assert (ahead_of(last), asked) == (1, 1)
        now += 1.1
        assert ahead_of(last) == 0


def test_a_queue_that_takes_long_to_read_is_read_less_often(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, reads = 1_000.0, 0
    waits = make_prediction(alice)

    def slowly() -> dict[Any, int]:
        nonlocal now, reads
        now, reads = now + 0.2, reads + 1
        return {waits.pk: 7}

    monkeypatch.setattr("predictions.turns.time.monotonic", lambda: now)
    monkeypatch.setattr(turns, "_turns", slowly)

    assert ahead_of(waits) == 7
    now += 3.9
    assert (ahead_of(waits), reads) == (7, 1)
    now += 0.2
    assert (ahead_of(waits), reads) == (7, 2)


def test_nobody_waits_while_another_reads(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    waits = make_prediction(alice)
    inner: list[int] = []

    def meanwhile() -> dict[Any, int]:
        inner.append(ahead_of(waits))
        return {waits.pk: 7}

    monkeypatch.setattr(turns, "_turns", meanwhile)

    assert (ahead_of(waits), inner) == (7, [0])


def test_the_count_reads_the_indexes_of_what_waits_and_no_more(alice: User) -> None:
    make_history(alice)

    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {turns.TURNS}", {"bulk_rows": 100})
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert "prediction_to_publish" in plan
    assert "prediction_published" in plan
    assert "Seq Scan" not in plan


def test_the_page_says_who_is_ahead_while_one_waits(page: PageOf, alice: User) -> None:
    first, last = make_prediction(alice), make_prediction(alice)
    signed_in = page(alice)

    waiting = signed_in.get(f"/predictions/{last.pk}").content.decode()
    followed = signed_in.get(f"/predictions/{last.pk}?seen=starting", headers=HTMX).content.decode()
    run([first.pk])
    forget_turns()
    alone = signed_in.get(f"/predictions/{last.pk}").content.decode()

    assert "About 1 prediction is ahead." in waiting
    assert "About 1 prediction is ahead." in followed
    assert "ahead." not in alone


@pytest.mark.parametrize(
    ("number", "words"),
    [(1, "примерно 1 прогноз."), (3, "примерно 3 прогноза."), (5, "примерно 5 прогнозов.")],
)
def test_the_number_is_said_in_good_russian(
    page: PageOf, alice: User, number: int, words: str
) -> None:
    made = [make_prediction(alice) for _ in range(number + 1)]
    russian = page(alice)
    russian.cookies["django_language"] = "ru"

    assert words in russian.get(f"/predictions/{made[-1].pk}").content.decode()
