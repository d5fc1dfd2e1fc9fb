"""Goal: what the reaper does every few seconds takes no longer over a long history.

Method: each of its questions is planned over a table of which nearly all has finished.
"""

from collections.abc import Callable

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from ml_models.models import ModelVersion
from predictions import lanes, reaping
from predictions.models import Prediction
from tests.conftest import make_history

SMALL = {
    "prediction_to_publish",
    "prediction_published",
    "prediction_leased",
    "prediction_with_deadline",
}
QUESTIONS: dict[str, Callable[[], object]] = {
    "expired leases": reaping.return_expired_leases,
    "exhausted attempts": reaping.fail_exhausted,
    "passed deadlines": reaping.cancel_overdue,
    "waited too long": reaping.expire_old,
    "broken versions": reaping.fail_for_broken_versions,
    "lost groups": lambda: [reaping.unpublish_lost(lane) for lane in lanes.LANES],
}


@pytest.fixture
def history(alice: User, published_version: ModelVersion) -> None:
    make_history(alice)
    with connection.cursor() as cursor:
        # As the relay has it; and no table of this size is worth an index.
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        cursor.execute("SET LOCAL enable_seqscan = off")


def plans(ask: Callable[[], object]) -> list[str]:
    """Plan what is asked about predictions."""
    with CaptureQueriesContext(connection) as asked:
        ask()
    planned = []
    with connection.cursor() as cursor:
        for query in asked.captured_queries:
            sql = query["sql"]
            if "predictions_prediction" in sql and "EXECUTE" not in sql:
                cursor.execute("EXPLAIN " + sql.replace("%", "%%"))
                planned.append("\n".join(line for (line,) in cursor.fetchall()))
    return planned


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize("name", QUESTIONS)
def test_only_small_indexes_are_read(name: str) -> None:
    found = plans(QUESTIONS[name])

    assert found != []
    for plan in found:
        assert any(index in plan for index in SMALL), plan
        assert "Seq Scan on predictions_prediction" not in plan, plan


def test_the_whole_table_would_be_read_for_both_halves_at_once(history: None) -> None:
    old = Prediction.objects.filter(status="starting", created_at__lt=Now()).order_by("pk")

    [plan] = plans(lambda: list(old.values_list("pk")[:10]))

    assert not any(index in plan for index in SMALL)
