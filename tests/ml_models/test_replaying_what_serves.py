"""Goal: golden rows are answered by what will serve, not by another way to the same model."""

from typing import Any

import pytest
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ml_models import golden, quick
from ml_models.errors import GoldenRowsDiffer
from tests.ml_models.houses import PRICES, SIZES

pytestmark = pytest.mark.django_db


class Off:
    """Answers a little more than the estimator does."""

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def predict(self, rows: Any) -> Any:
        return self.estimator.predict(rows) * (1 + 1e-6)


def test_a_fault_of_the_quick_way_shows_when_golden_rows_are_replayed(
    bring: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = SIZES[["size", "rooms"]]
    version = bring(make_pipeline(StandardScaler(), LinearRegression()).fit(rows, PRICES), rows)
    assert version.golden_rows
    golden.replay(version)

    monkeypatch.setattr(quick, "quick", Off)

    with pytest.raises(GoldenRowsDiffer):
        golden.replay(version)
