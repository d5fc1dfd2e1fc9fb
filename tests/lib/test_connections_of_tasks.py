"""A task finds a database again that died under the one before it."""

import pytest
from celery.signals import task_prerun
from django.db import InterfaceError, OperationalError, connection


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_broke_in_one_task_is_opened_anew_for_the_next() -> None:
    connection.ensure_connection()
    connection.connection.close()
    with pytest.raises((InterfaceError, OperationalError)), connection.cursor() as cursor:
        cursor.execute("SELECT 1")

    task_prerun.send(sender=None)

    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)
