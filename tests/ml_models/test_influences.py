"""Goal: what an estimator weighs is named by the columns of its input, or not at all."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    PolynomialFeatures,
    StandardScaler,
)

from ml_models.pipeline.influences import MOST_ROWS, influences
from tests.ml_models.houses import HOUSES, IS_DEAR, PRICES, SIZES, columnar, positional

NUMBERS = ["size", "rooms", "is_new"]
COLUMNS = [*NUMBERS, "kind"]


def named(found: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(row["column"], row["category"]) for row in found["rows"]]


def values(found: dict[str, Any]) -> list[float]:
    return [row["value"] for row in found["rows"]]


def test_a_coefficient_stands_beside_its_column() -> None:
    line = LinearRegression().fit(SIZES.to_numpy(float), PRICES)

    found = influences(line, NUMBERS)

    assert found["kind"] == "coefficients"
    assert named(found) == [("size", None), ("rooms", None), ("is_new", None)]
    assert values(found) == pytest.approx(line.coef_, rel=1e-5)


@pytest.mark.parametrize("pipeline", [columnar, positional])
def test_a_category_has_a_coefficient_of_its_own(pipeline: Any) -> None:
    taught = HOUSES if pipeline is columnar else HOUSES.to_numpy(dtype=object)
    line = pipeline(LinearRegression()).fit(taught, PRICES)

    found = influences(line, COLUMNS)

    assert named(found) == [
        *[(name, None) for name in NUMBERS],
        ("kind", "flat"),
        ("kind", "house"),
    ]
    flat, house, *rest = line[-1].coef_
    assert values(found) == pytest.approx([*rest, flat, house], rel=1e-5)


def test_importances_of_categories_are_added_up_and_the_weightiest_comes_first() -> None:
    forest = columnar(RandomForestRegressor(20, random_state=1)).fit(HOUSES, PRICES)

    found = influences(forest, COLUMNS)

    assert (found["kind"], {name for name, _ in named(found)}) == ("importances", {*COLUMNS})
    assert values(found) == sorted(values(found), reverse=True)
    assert sum(values(found)) == pytest.approx(1, abs=1e-4)
    of_kind = dict(zip([name for name, _ in named(found)], values(found), strict=True))["kind"]
    assert of_kind == pytest.approx(sum(forest[-1].feature_importances_[:2]), rel=1e-4)


def test_the_function_of_a_column_and_of_the_target_is_named() -> None:
    logs = ColumnTransformer(
        [("logs", FunctionTransformer(np.log), [0]), ("rest", "passthrough", [1, 2])]
    )
    line = TransformedTargetRegressor(LinearRegression(), func=np.log, inverse_func=np.exp)
    taught = make_pipeline(logs, line).fit(SIZES.to_numpy(float), PRICES)

    found = influences(taught, NUMBERS)

    assert found["target_function"] == "log"
    assert [row["function"] for row in found["rows"]] == ["log", "", ""]
    assert values(found) == pytest.approx(taught[-1].regressor_.coef_, rel=1e-5)


@pytest.mark.parametrize(
    ("first", "kept"),
    [
        (StandardScaler(), NUMBERS),
        (SimpleImputer(), NUMBERS),
        (SelectKBest(f_regression, k=2), ["size", "rooms"]),
        (make_pipeline(SimpleImputer(), StandardScaler()), NUMBERS),
    ],
)
def test_a_step_that_keeps_its_columns_is_followed(first: Any, kept: list[str]) -> None:
    line = make_pipeline(first, LinearRegression()).fit(SIZES.astype(float), PRICES)

    found = influences(line, NUMBERS)

    assert [name for name, _ in named(found)] == kept
    assert values(found) == pytest.approx(line[-1].coef_, rel=1e-5)


def test_the_best_of_a_search_is_what_is_asked() -> None:
    search = GridSearchCV(LinearRegression(), {"fit_intercept": [True]}, cv=2)
    search.fit(SIZES.to_numpy(float), PRICES)

    assert values(influences(search, NUMBERS)) == pytest.approx(
        search.best_estimator_.coef_, rel=1e-5
    )


@pytest.mark.parametrize(
    "estimator",
    [
        make_pipeline(PCA(2), LinearRegression()),
        make_pipeline(PolynomialFeatures(), LinearRegression()),
        make_pipeline(FunctionTransformer(lambda rows: rows[:, ::-1]), LinearRegression()),
        HistGradientBoostingRegressor(max_iter=2),
    ],
)
def test_of_what_mixes_columns_or_weighs_none_nothing_is_said(estimator: Any) -> None:
    taught = estimator.fit(SIZES.to_numpy(float), PRICES)

    assert influences(taught, NUMBERS) == {}


def test_weights_one_a_label_are_left_out_and_those_of_two_labels_are_told() -> None:
    three = np.array(["a", "b", "c", "a", "b", "c"])
    rows = SIZES.to_numpy(float)

    assert influences(LogisticRegression().fit(rows, three), NUMBERS) == {}
    assert influences(LogisticRegression().fit(rows, IS_DEAR), NUMBERS)["kind"] == "coefficients"


def test_rare_categories_that_share_a_number_are_not_told_apart() -> None:
    encoder = OneHotEncoder(min_frequency=2, handle_unknown="infrequent_if_exist")
    kinds = pd.DataFrame({"kind": ["flat", "flat", "house", "boat", "tent", "flat"]})
    line = make_pipeline(encoder, LinearRegression()).fit(kinds, PRICES)

    assert influences(line, ["kind"]) == {}


def test_the_thirty_weightiest_stay_in_the_order_of_their_columns() -> None:
    many = np.eye(40)
    line = LinearRegression(fit_intercept=False).fit(many, np.arange(40.0))
    names = [f"c{place}" for place in range(40)]

    found = influences(line, names)

    assert len(found["rows"]) == MOST_ROWS
    assert [name for name, _ in named(found)] == names[10:]


def test_a_gap_among_the_categories_is_a_text() -> None:
    kinds = pd.DataFrame({"kind": ["flat", None, "house", "flat", None, "house"]}, dtype=object)
    line = make_pipeline(OneHotEncoder(), LinearRegression()).fit(kinds, PRICES)

    assert {category for _, category in named(influences(line, ["kind"]))} == {
        "flat",
        "house",
        "None",
    }
