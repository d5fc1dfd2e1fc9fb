"""The only place that decides which rows are learnt from and which are held out."""

from collections.abc import Callable
from typing import Any

import pandas as pd
from sklearn.model_selection import GroupShuffleSplit

from ml_models.pipeline.configuration import BUILD, DATA, METRICS, read_params, write_json

GRAMS_PER_CARAT = 0.2
MM3_PER_CM3 = 1000


def has_zero_dimension(rows: pd.DataFrame, rules: dict[str, Any]) -> pd.Series:
    return (rows[["x", "y", "z"]] == 0).any(axis=1)


def is_duplicate(rows: pd.DataFrame, rules: dict[str, Any]) -> pd.Series:
    return rows.duplicated()


def has_wrong_depth(rows: pd.DataFrame, rules: dict[str, Any]) -> pd.Series:
    depth = 200 * rows["z"] / (rows["x"] + rows["y"])
    return (depth - rows["depth"]).abs() > rules["depth_tolerance"]


def has_wrong_weight(rows: pd.DataFrame, rules: dict[str, Any]) -> pd.Series:
    volume_mm3 = rows["carat"] * GRAMS_PER_CARAT / rules["density_g_per_cm3"] * MM3_PER_CM3
    box_share = volume_mm3 / (rows["x"] * rows["y"] * rows["z"])
    return ~box_share.between(rules["box_share_min"], rules["box_share_max"])


# In this order: the later rules divide by the dimensions.
DROPPED_WHEN: dict[str, Callable[[pd.DataFrame, dict[str, Any]], pd.Series]] = {
    "zero_dimension": has_zero_dimension,
    "duplicate": is_duplicate,
    "wrong_depth": has_wrong_depth,
    "wrong_weight": has_wrong_weight,
}


def clean(rows: pd.DataFrame, rules: dict[str, Any]) -> tuple[pd.DataFrame, dict[str, int]]:
    """Drop the rows that break a rule; return the rest and the count dropped by each rule."""
    dropped = {}
    for name, breaks_rule in DROPPED_WHEN.items():
        is_bad = breaks_rule(rows, rules)
        dropped[name] = int(is_bad.sum())
        rows = rows[~is_bad]
    return rows, dropped


def split(rows: pd.DataFrame, rules: dict[str, Any]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the training rows and the test rows; one stone is never in both."""
    stones = rows.groupby(rules["same_stone"], sort=False).ngroup()
    splitter = GroupShuffleSplit(
        n_splits=1, test_size=rules["test_share"], random_state=rules["seed"]
    )
    train, test = next(splitter.split(rows, groups=stones))
    return rows.iloc[train], rows.iloc[test]


def main() -> None:
    rules = read_params()["prepare"]
    raw = pd.read_csv(DATA)
    rows, dropped = clean(raw, rules)
    train, test = split(rows, rules)
    BUILD.mkdir(exist_ok=True)
    train.to_csv(BUILD / "train.csv", index=False, lineterminator="\n")
    test.to_csv(BUILD / "test.csv", index=False, lineterminator="\n")
    counts = {"rows": len(raw), "dropped": dropped, "training": len(train), "test": len(test)}
    write_json(METRICS / "prepare.json", counts)


if __name__ == "__main__":
    main()
