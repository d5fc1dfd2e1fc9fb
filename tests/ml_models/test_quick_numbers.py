"""Steps that are spared checks of finite numbers answer as before, to the last bit."""

import re
from operator import methodcaller
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import ElasticNet, Lasso, LinearRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
)

from ml_models.quick import QuickPipeline, quick, quick_transformer
from ml_models.quick_numbers import QuickFunction, QuickLine, QuickTarget
from tests.ml_models.alike import assert_alike, shipped, told

COUNTS = (1, 2, 7, 300)


def numbers(count: int = 300, seed: int = 1) -> Any:
    return np.random.default_rng(seed).lognormal(size=(count, 5)) * [1, 0.01, 100, 3, 0.1]


def prices(seed: int = 1) -> Any:
    return numbers(seed=seed) @ [1, 2, 0.01, 0.3, 5] + 1


def logged(regressor: Any) -> Any:
    return TransformedTargetRegressor(regressor, func=np.log, inverse_func=np.exp)


def scaled_half(rows: Any) -> Any:
    return rows[:, ::2] / 7


def named(case: Any) -> str:
    return re.sub(r" at 0x\w+|\s+", "", repr(case))[:90]


FUNCTIONS = [
    FunctionTransformer(validate=True),
    FunctionTransformer(np.log, validate=True),
    FunctionTransformer(scaled_half, validate=True),
    FunctionTransformer(np.log1p, inverse_func=np.expm1, validate=True, check_inverse=False),
]
LINES = [
    LinearRegression(),
    LinearRegression(fit_intercept=False),
    LinearRegression(positive=True),
    Ridge(),
    Lasso(0.1),
    ElasticNet(0.1),
]
TARGETS = [
    logged(LinearRegression()),
    logged(RandomForestRegressor(5, random_state=1)),
    logged(make_pipeline(MinMaxScaler(), Ridge())),
    logged(make_pipeline(StandardScaler(copy=False), LinearRegression())),
    TransformedTargetRegressor(LinearRegression()),
]
ODD_ROWS = [
    numbers(3).astype(object),
    numbers(3).astype(np.float32),
    np.asfortranarray(numbers(9)),
    numbers(18)[::2],
    numbers(3).astype(int),
    numbers(3).tolist(),
    pd.DataFrame(numbers(3)),
    numbers(3)[:, :4],
    numbers(3)[0],
    numbers(3)[None],
    np.zeros((0, 5)),
    np.array(1.0),
    np.array([["1", "2.5", "3e1", "4", "5"]]),
    np.array([["1", 2.5, True, 4, np.float32(5)]], dtype=object),
    np.array([[1, 2, "x", 4, 5]], dtype=object),
    np.array([[1, 2, None, 4, 5]], dtype=object),
    np.array([[1, 2, 1j, 4, 5]], dtype=object),
    np.array([[1, 2, 10**400, 4, 5]], dtype=object),
    np.array([[1, 2, [3], 4, 5]], dtype=object),
    np.array([[1, 2, np.nan, 4, 5]]),
    np.array([[1, 2, np.inf, 4, 5]], dtype=object),
    np.array([[1e308, 1e308, 1e308, 1e308, 1e308]]),
]


@pytest.mark.parametrize("function", FUNCTIONS, ids=named)
def test_a_function_makes_the_same_of_numbers(function: FunctionTransformer) -> None:
    ours = quick_transformer(function.fit(numbers()))

    assert isinstance(ours, QuickFunction)
    for count in COUNTS:
        for rows in (numbers(count, 9), numbers(count, 9).astype(object)):
            assert_alike(ours, function, rows)


@pytest.mark.parametrize("line", LINES, ids=named)
def test_a_line_says_the_same_of_numbers(line: Any) -> None:
    ours = quick(line.fit(numbers(), prices()))

    assert isinstance(ours, QuickLine)
    for count in COUNTS:
        assert_alike(ours, line, numbers(count, 9))


@pytest.mark.parametrize("line", [LinearRegression(), Ridge()], ids=named)
def test_a_line_to_several_targets_says_the_same(line: Any) -> None:
    line.fit(numbers(), np.column_stack([prices(), prices(2)]))

    for count in COUNTS:
        assert_alike(quick(line), line, numbers(count, 9))


@pytest.mark.parametrize("target", TARGETS, ids=named)
def test_a_transformed_target_is_brought_back_the_same(target: TransformedTargetRegressor) -> None:
    ours = quick(target.fit(numbers(), prices()))

    assert isinstance(ours, QuickTarget)
    for count in COUNTS:
        assert_alike(ours, target, numbers(count, 9))


@pytest.mark.parametrize("aim", [prices()[:, None], np.column_stack([prices(), prices(2)])])
@pytest.mark.parametrize("target", [TARGETS[0], TARGETS[3]], ids=named)
def test_targets_in_columns_are_brought_back_the_same(target: Any, aim: Any) -> None:
    target = clone(target).fit(numbers(), aim)

    for count in COUNTS:
        assert_alike(quick(target), target, numbers(count, 9))


def test_a_step_that_works_in_place_is_asked_once_of_what_cannot_be_brought_back() -> None:
    asked = []

    def count_and_halve(rows: Any) -> Any:
        asked.append(len(rows))
        rows /= 2
        return rows

    halved = make_pipeline(FunctionTransformer(count_and_halve), LinearRegression())
    target = logged(halved).fit(numbers(), prices())
    target.regressor_[-1].intercept_ = np.inf
    asked.clear()

    assert told(quick(target).predict, numbers(2)) == told(target.predict, numbers(2))
    assert asked == [2, 2]


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value", "ignore:divide by zero")
@pytest.mark.parametrize("rows", ODD_ROWS, ids=named)
@pytest.mark.parametrize("step", [*FUNCTIONS[:2], *LINES[:1], *TARGETS[:3]], ids=named)
def test_whatever_else_is_judged_as_there(step: Any, rows: Any) -> None:
    step.fit(numbers(), prices())
    ours = quick(step) if hasattr(step, "predict") else quick_transformer(step)

    assert ours is not step
    assert_alike(ours, step, rows)


@pytest.mark.parametrize(
    "other",
    [
        FunctionTransformer(np.log),
        FunctionTransformer(np.round, kw_args={"decimals": 1}, validate=True),
        FunctionTransformer(validate=True).set_output(transform="pandas"),
        FunctionTransformer(validate=True, feature_names_out="one-to-one"),
        MinMaxScaler(),
    ],
    ids=named,
)
def test_any_other_transformer_is_asked_itself(other: Any) -> None:
    assert quick_transformer(other.fit(numbers())) is other


class OwnLine(LinearRegression):  # type: ignore[misc]
    """A line that may mean anything by `predict`."""


@pytest.mark.parametrize(
    "other",
    [
        OwnLine(),
        TransformedTargetRegressor(LinearRegression(), transformer=MinMaxScaler()),
        TransformedTargetRegressor(LinearRegression(), transformer=FunctionTransformer(np.log)),
    ],
    ids=named,
)
def test_any_other_estimator_is_asked_itself(other: Any) -> None:
    if hasattr(other, "transformer") and isinstance(other.transformer, FunctionTransformer):
        other.transformer.inverse_func = np.exp
    assert quick(other.fit(numbers(), prices())) is other


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value", "ignore:divide by zero")
def test_the_steps_of_a_pipeline_and_the_parts_of_columns_are_asked_this_way() -> None:
    columns = ColumnTransformer([("log", FUNCTIONS[1], [0, 3]), ("rest", FUNCTIONS[0], [4])])
    estimator = make_pipeline(FunctionTransformer(validate=True), columns, TARGETS[0])
    estimator.fit(numbers(), prices())

    ours: Any = quick(estimator)

    first, second = ours.transformers
    assert isinstance(first, QuickFunction)
    assert [type(part) for part, _ in second.parts] == [QuickFunction, QuickFunction]
    assert isinstance(ours.last, QuickTarget)
    for rows in (numbers(9, 9), numbers(9, 9).astype(object), *ODD_ROWS):
        assert_alike(ours, estimator, rows)


def words(count: int = 300) -> Any:
    letters = np.array(list("abcdefghijkl"), dtype=object)
    return letters[np.random.default_rng(count).integers(0, 12, size=(count, 9))]


@pytest.mark.parametrize(
    "steps",
    [
        [OneHotEncoder()],
        [OneHotEncoder(sparse_output=False)],
        [OrdinalEncoder()],
        [OneHotEncoder(), FunctionTransformer(methodcaller("toarray"), accept_sparse=True)],
    ],
    ids=named,
)
@pytest.mark.parametrize("line", [LinearRegression(), Ridge()], ids=named)
def test_an_encoder_before_a_line_makes_what_it_always_made(line: Any, steps: list[Any]) -> None:
    estimator = make_pipeline(*map(clone, steps), line).fit(words(), prices())

    for count in COUNTS:
        assert_alike(quick(estimator), estimator, words(count))


def test_what_was_put_together_by_hand_answers_as_there() -> None:
    line = LinearRegression()
    line.coef_, line.intercept_ = np.array([1.0, 2, 3, 4, 5]), 1.0
    logarithm = FunctionTransformer(np.log, validate=True)
    fitted = LinearRegression().fit(np.log(numbers()), prices())

    for estimator in (line, Pipeline([("log", logarithm), ("line", fitted)])):
        assert_alike(quick(estimator), estimator, numbers(3))


def test_the_regression_that_ships_says_the_same_of_rows_it_has_not_learnt() -> None:
    estimator, rows, features_of = shipped("linear-regression")

    ours = quick(estimator)

    assert isinstance(ours, QuickPipeline)
    assert isinstance(ours.last, QuickTarget)
    for asked in (rows, *([row] for row in rows[:50])):
        assert_alike(ours, estimator, features_of(asked))
