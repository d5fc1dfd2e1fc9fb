"""A prediction that takes too long or too much fails alone, in a clear word, and is free."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded

from accounts.models import User
from ml_models import inference
from ml_models.models import ModelVersion
from predictions import runner
from predictions.models import Prediction
from tests.conftest import make_prediction

Predict = Callable[..., list[inference.Predicted]]


def raising(error: type[Exception], *, above_rows: int = 0) -> Predict:
    """Predict as ever, but raise for more rows at once than that."""
    real = inference.predict

    def predict(*, version: ModelVersion, rows: Sequence[Any]) -> list[inference.Predicted]:
        if len(rows) > above_rows:
            raise error
        return real(version=version, rows=rows)

    return predict


def outcomes() -> list[tuple[str, str]]:
    return sorted(Prediction.objects.values_list("status", "error_code"))


def test_too_long_alone_is_a_timeout(
    alice: User, published_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    only = make_prediction(alice)
    monkeypatch.setattr(inference, "predict", raising(SoftTimeLimitExceeded))

    runner.run([only.pk])

    assert outcomes() == [("failed", "timeout")]
    only.hold.refresh_from_db()
    assert only.hold.status == "released"


def test_too_long_together_gives_each_a_time_of_its_own(
    alice: User, published_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [make_prediction(alice).pk for _ in range(2)]
    monkeypatch.setattr(inference, "predict", raising(SoftTimeLimitExceeded))

    settled = runner.run(ids)

    assert (settled, outcomes()) == (0, [("starting", ""), ("starting", "")])


def test_too_much_memory_fails_the_one_that_needs_it(
    alice: User, published_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = make_prediction(alice)
    large = make_prediction(alice, input=[published_version.example] * 3)
    monkeypatch.setattr(inference, "predict", raising(MemoryError, above_rows=1))

    runner.run([small.pk, large.pk])

    assert outcomes() == [("failed", "out_of_memory"), ("succeeded", "")]
