"""How long a database is waited for that is away, or has fallen silent."""

from typing import Any

import psycopg2
import pytest
from django.db import DatabaseError, DataError, InterfaceError, OperationalError, connection

from accounts.models import User
from ml_models.models import ModelVersion
from ml_models.selectors import version_by_id
from mlservice.lib import outlasting
from mlservice.lib.listening import Listener
from mlservice.lib.outlasting import is_away, outlast
from predictions import runner
from tests.conftest import make_prediction

GIVEN_UP_AFTER = {
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
}


@pytest.mark.django_db
def test_every_connection_gives_a_silent_server_up() -> None:
    connection.ensure_connection()
    listener = Listener(["prediction_submitted"])
    try:
        for each in (connection.connection, listener.connection):
            assert GIVEN_UP_AFTER.items() <= each.info.dsn_parameters.items()
    finally:
        listener.close()


def test_a_step_is_repeated_until_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[int] = []
    monkeypatch.setattr(outlasting, "PAUSE_SECONDS", 0.0)

    def fail_twice() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise OperationalError("away")
        return "done"

    assert outlast(fail_twice, seconds=5) == "done"
    assert len(tries) == 3
    tries.clear()
    with pytest.raises(OperationalError):
        outlast(fail_twice, seconds=-1)


@pytest.mark.django_db
def test_an_answer_is_no_reason_to_wait_and_a_server_that_died_over_one_is() -> None:
    with pytest.raises(DataError) as refused, connection.cursor() as cursor:
        cursor.execute("SELECT 1 / 0")
    with pytest.raises(DatabaseError) as half_read, connection.wrap_database_errors:
        raise psycopg2.DatabaseError("server closed the connection unexpectedly")

    assert not is_away(refused.value)
    assert not is_away(DatabaseError("Save with update_fields did not affect any rows."))
    assert is_away(half_read.value)
    assert is_away(InterfaceError("connection already closed"))


@pytest.mark.django_db(transaction=True)
def test_a_version_that_cannot_be_read_now_is_read_again(
    alice: User, published_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    prediction = make_prediction(alice)
    failures = [OperationalError("away")]
    monkeypatch.setattr(outlasting, "PAUSE_SECONDS", 0.0)

    def fail_once(version_id: int) -> Any:
        if failures:
            raise failures.pop()
        return version_by_id(version_id)

    monkeypatch.setattr("predictions.runner.version_by_id", fail_once)

    assert runner.run([prediction.pk]) == 1
    prediction.refresh_from_db()
    assert (prediction.status, prediction.attempt) == ("succeeded", 1)
