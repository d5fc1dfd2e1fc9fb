"""`manage.py wait_for`: containers start in any order, and wait within bounds."""

from collections.abc import Callable
from threading import Timer

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connections

from ml_models.models import MLModel, ModelVersion
from mlservice.management.commands import wait_for


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wait_for, "PAUSE_SECONDS", 0.01)
    # The test's own transaction must outlast the command.
    monkeypatch.setattr(connections, "close_all", lambda: None)


@pytest.mark.parametrize("what", ["database", "migrations", "models"])
def test_it_returns_at_once_when_all_is_there(published_version: ModelVersion, what: str) -> None:
    call_command("wait_for", what, seconds=0)


def test_without_a_published_model_it_fails_in_time_and_says_for_what(db: None) -> None:
    MLModel.objects.update(stable=None)

    with pytest.raises(CommandError, match=r"Waited 0.05 s for the models in vain"):
        call_command("wait_for", "models", seconds=0.05)


def away() -> bool:
    raise OperationalError("connection refused")


def test_a_database_that_is_away_is_waited_for_and_then_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(wait_for.CHECKS, "database", away)

    with pytest.raises(CommandError, match="connection refused"):
        call_command("wait_for", "database", seconds=0.05)


def test_it_goes_on_as_soon_as_what_was_away_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    checks: dict[str, Callable[[], bool]] = {"migrations": away}
    monkeypatch.setattr(wait_for, "CHECKS", checks | {"database": away, "models": away})
    back = Timer(0.1, lambda: wait_for.CHECKS.update(migrations=lambda: True))
    back.start()

    call_command("wait_for", "migrations", seconds=30)

    assert wait_for.CHECKS["migrations"]()
    back.join()
