"""Goal: only impossible and repeated rows are dropped, and no stone is learnt and tested."""

from typing import Any

import pandas as pd
import pytest

from ml_models.pipeline.configuration import DATA, METRICS, read_json, read_params
from ml_models.pipeline.prepare import clean, split

RULES = read_params()["prepare"]
STONE = {
    "carat": 1.0,
    "cut": "Ideal",
    "color": "E",
    "clarity": "VS1",
    "depth": 62.0,
    "table": 57.0,
    "price": 6000,
    "x": 6.4,
    "y": 6.4,
    "z": 3.968,
}


def stones(*changes: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame([STONE | change for change in changes])


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"x": 0.0}, "zero_dimension"),
        ({"z": 0.0}, "zero_dimension"),
        ({}, "duplicate"),
        ({"y": 58.9}, "wrong_depth"),
        ({"depth": 64.0}, "wrong_depth"),
        ({"carat": 2.0}, "wrong_weight"),
        ({"carat": 0.5}, "wrong_weight"),
    ],
)
def test_a_row_that_breaks_a_rule_is_dropped_and_counted(change: dict[str, Any], rule: str) -> None:
    kept, dropped = clean(stones({}, change), RULES)

    assert len(kept) == 1
    assert [name for name, count in dropped.items() if count] == [rule]


def test_a_dear_or_ugly_stone_is_no_outlier() -> None:
    rows = stones({}, {"price": 18_823}, {"cut": "Fair", "clarity": "I1", "price": 300})

    kept, dropped = clean(rows, RULES)

    assert len(kept) == 3
    assert not any(dropped.values())


def test_the_shipped_report_accounts_for_every_row() -> None:
    report = read_json(METRICS / "prepare.json")

    assert report["rows"] == 53_940
    assert sum(report["dropped"].values()) + report["training"] + report["test"] == 53_940


def test_no_stone_is_on_both_sides_of_the_split() -> None:
    rows, _ = clean(pd.read_csv(DATA), RULES)

    train, test = split(rows, RULES)

    identity = RULES["same_stone"]
    both = train[identity].drop_duplicates().merge(test[identity].drop_duplicates())
    assert both.empty
    assert 0.19 < len(test) / len(rows) < 0.21
