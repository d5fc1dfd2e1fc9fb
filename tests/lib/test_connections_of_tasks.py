"""A task finds a database again that died under the one before it."""

import pytest
from celery.signals import task_prerun
from django.db import InterfaceError, OperationalError, connection

from mlservice.tasks import audit_ledger
from predictions.tasks import run_predictions


def answers() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return bool(cursor.fetchone() == (1,))


@pytest.fixture
def broken(transactional_db: None) -> None:
    connection.ensure_connection()
    connection.connection.close()


def test_a_connection_that_broke_in_one_task_is_opened_anew_for_the_next(broken: None) -> None:
    with pytest.raises((InterfaceError, OperationalError)):
        answers()

    task_prerun.send(sender=run_predictions, task=run_predictions)

    assert answers()


def test_a_connection_that_broke_between_tasks_is_opened_anew_for_a_duty(broken: None) -> None:
    task_prerun.send(sender=audit_ledger, task=audit_ledger)

    assert answers()
