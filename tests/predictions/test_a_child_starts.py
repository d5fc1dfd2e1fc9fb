"""What a worker's child does before its first task."""

from typing import Any

import pytest

from predictions import tasks


def test_a_model_that_fails_at_its_example_leaves_the_memory_limit(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    def fail(versions: object) -> None:
        raise ValueError("an odd model")

    limits: list[int] = []
    settings.WORKER_MAX_MEMORY_MB = 77
    monkeypatch.setattr(tasks, "predicts", lambda app: True)
    monkeypatch.setattr(tasks, "serving_versions", list)
    monkeypatch.setattr("ml_models.inference.warm_up", fail)
    monkeypatch.setattr(tasks, "limit_memory", limits.append)

    with pytest.raises(ValueError, match="an odd model"):
        tasks.warm_up()

    assert limits == [77]
