"""What several tests of predictions stand on."""

from uuid import UUID

import pytest
from django.db import connection
from psycopg2.extensions import make_dsn
from pytest_django import Settings

from predictions.publisher import Publisher


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[list[UUID]]:
    messages: list[list[UUID]] = []
    monkeypatch.setattr(
        Publisher, "publish", lambda self, queue, group_id, ids: messages.append(sorted(ids))
    )
    return messages


@pytest.fixture
def own_database(settings: Settings) -> None:
    """Have listeners connect to the database of the test, not to the one it was made beside."""
    name = connection.settings_dict["NAME"]
    settings.LISTEN_DATABASE_URL = make_dsn(settings.LISTEN_DATABASE_URL, dbname=name)
