"""Goal: what is asked the quick way answers as scikit-learn has it answer, to the last bit.

Method: forests and pipelines of each kind are fitted and asked both ways for one row, a few and
many.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import (
    AdaBoostRegressor,
    BaggingRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingRegressor,
)
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVR
from sklearn.tree import DecisionTreeRegressor

from ml_models.forests import WalkedForest
from ml_models.inference import on_one_thread
from ml_models.quick import QuickColumns, QuickPipeline, quick
from tests.ml_models.alike import shipped

REGRESSORS = (RandomForestRegressor, ExtraTreesRegressor)
CLASSIFIERS = (RandomForestClassifier, ExtraTreesClassifier)
COUNTS = (1, 7, 300)
LABELS = {
    "two numbers": [0, 1],
    "two texts": ["cheap", "dear"],
    "four numbers": [2, 3, 5, 7],
    "four texts": ["Fair", "Good", "Premium", "Ideal"],
    "two truths": [False, True],
}

Wrap = Callable[[Any], Any]


def numbers(count: int = 300, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 5)) * [1, 1e-7, 1e9, 3, 0.1]


def target(rows: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(2).normal(size=len(rows))
    result: np.ndarray = rows[:, 0] * 3 + np.sin(rows[:, 3]) + rows[:, 4] + noise / 3
    return result


def labelled(rows: np.ndarray, labels: list[Any]) -> np.ndarray:
    edges = np.quantile(target(rows), np.linspace(0, 1, len(labels) + 1)[1:-1])
    chosen: np.ndarray = np.array(labels)[np.digitize(target(rows), edges)]
    return chosen


def alone(forest: Any) -> Any:
    return forest


def in_a_pipeline(forest: Any) -> Any:
    binned = make_pipeline(StandardScaler(), StandardScaler(with_mean=False))
    columns = ColumnTransformer(
        [("numbers", binned, [0, 1, 2]), ("rest", "passthrough", [3])], remainder="passthrough"
    )
    return make_pipeline("passthrough", columns, forest)


def in_a_search(forest: Any) -> Any:
    return GridSearchCV(forest, {"max_depth": [3, None]}, cv=2)


def searched_pipeline(forest: Any) -> Any:
    return GridSearchCV(make_pipeline(StandardScaler(), forest), {}, cv=2)


def pipeline_of_a_search(forest: Any) -> Any:
    return make_pipeline(StandardScaler(), in_a_search(forest))


every_place = pytest.mark.parametrize(
    "place", [alone, in_a_pipeline, in_a_search, searched_pipeline, pipeline_of_a_search]
)


def last_of(one: Any) -> Any:
    return last_of(one.last) if isinstance(one, QuickPipeline) else one


def assert_alike(ours: Any, theirs: Any) -> None:
    """Compare to the last bit, in type and shape too."""
    assert isinstance(ours, np.ndarray)
    assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
    assert ours.tolist() == theirs.tolist()


@every_place
@pytest.mark.parametrize("forest", REGRESSORS)
@pytest.mark.parametrize("count", COUNTS)
def test_regressors_say_the_same_to_the_last_bit(forest: Any, place: Wrap, count: int) -> None:
    estimator = place(forest(n_estimators=23, random_state=3))
    estimator.fit(numbers(), target(numbers()))
    asked = numbers(count, seed=9)

    ours = quick(estimator)

    assert isinstance(last_of(ours), WalkedForest)
    assert_alike(ours.predict(asked), estimator.predict(asked))


@every_place
@pytest.mark.parametrize("forest", CLASSIFIERS)
@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_classifiers_say_the_same_to_the_last_bit(
    forest: Any, place: Wrap, labels: list[Any]
) -> None:
    estimator = place(forest(n_estimators=13, max_depth=4, random_state=3))
    estimator.fit(numbers(), labelled(numbers(), labels))

    ours: Any = quick(estimator)

    assert isinstance(last_of(ours), WalkedForest)
    for count in COUNTS:
        asked = numbers(count, seed=9)
        assert_alike(ours.predict(asked), estimator.predict(asked))
        assert_alike(ours.predict_proba(asked), estimator.predict_proba(asked))
    assert set(ours.predict(numbers()).tolist()) == set(labels)


@pytest.mark.parametrize(
    "forest",
    [
        RandomForestRegressor(5, criterion="absolute_error", max_depth=3, random_state=1),
        RandomForestRegressor(5, criterion="poisson", random_state=1),
        RandomForestRegressor(1, bootstrap=False, random_state=1),
        RandomForestRegressor(5, min_samples_leaf=400, random_state=1),
        RandomForestRegressor(5, monotonic_cst=[1, 0, 0, 0, -1], random_state=1),
        RandomForestRegressor(5, oob_score=True, max_samples=0.5, random_state=1, warm_start=True),
        ExtraTreesRegressor(5, ccp_alpha=0.05, random_state=1),
        RandomForestRegressor(5, n_jobs=2, random_state=1),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:Some inputs do not have OOB scores")
def test_settings_of_a_forest_change_nothing(forest: Any) -> None:
    forest.fit(numbers(), np.exp(target(numbers()) / 9))
    one_by_one = on_one_thread(forest)

    asked = numbers(50, seed=9)

    assert_alike(quick(one_by_one).predict(asked), one_by_one.predict(asked))


@pytest.mark.parametrize(
    "forest",
    [
        RandomForestClassifier(5, class_weight="balanced", random_state=1),
        RandomForestClassifier(5, class_weight="balanced_subsample", random_state=1),
        RandomForestClassifier(5, criterion="log_loss", max_leaf_nodes=4, random_state=1),
        ExtraTreesClassifier(4, max_depth=1, random_state=1),
    ],
    ids=str,
)
def test_settings_of_a_classifying_forest_change_nothing(forest: Any) -> None:
    forest.fit(numbers(), labelled(numbers(), ["a", "b", "c"]))
    ours: Any = quick(forest)

    asked = numbers(50, seed=9)

    assert_alike(ours.predict(asked), forest.predict(asked))
    assert_alike(ours.predict_proba(asked), forest.predict_proba(asked))


def test_a_draw_of_two_labels_goes_to_the_first_as_there() -> None:
    rows = np.array([[0.0], [0.0]])
    forest = RandomForestClassifier(4, bootstrap=False).fit(rows, ["b", "a"])
    ours: Any = quick(forest)

    assert_alike(ours.predict(rows[:1]), forest.predict(rows[:1]))
    assert ours.predict_proba(rows[:1]).tolist() == [[0.5, 0.5]]


def test_one_label_alone_is_told_with_certainty() -> None:
    forest = RandomForestClassifier(3).fit(numbers(20), ["only"] * 20)
    ours: Any = quick(forest)

    assert_alike(ours.predict(numbers(2)), forest.predict(numbers(2)))
    assert_alike(ours.predict_proba(numbers(2)), forest.predict_proba(numbers(2)))


def test_mixed_columns_of_objects_and_of_tables_say_the_same() -> None:
    grades = np.array(["a", "b", "c"], dtype=object)[np.arange(300) % 3]
    rows = np.column_stack([numbers()[:, :2].astype(object), grades])
    table = pd.DataFrame(rows, columns=["p", "q", "grade"]).astype({"p": float, "q": float})
    for encoder in (OneHotEncoder(sparse_output=False), OneHotEncoder()):
        for given, names in ((rows, [2]), (table, ["grade"])):
            columns = ColumnTransformer([("grade", encoder, names)], remainder="passthrough")
            estimator = make_pipeline(columns, RandomForestRegressor(7, random_state=1))
            estimator.fit(given, target(numbers()))

            assert_alike(quick(estimator).predict(given[:9]), estimator.predict(given[:9]))


def asked_both_ways(estimator: Any, rows: Any) -> list[Any]:
    """Return what each way gives, or the error that it raises."""
    answers: list[Any] = []
    for one in (quick(estimator), estimator):
        try:
            answers.append(one.predict(rows).tolist())
        except (ValueError, TypeError, RuntimeWarning) as error:
            answers.append((type(error), str(error)))
    return answers


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), -float("inf"), 1e39, 1e300])
@pytest.mark.parametrize("place", [alone, searched_pipeline])
def test_what_is_no_finite_number_is_judged_by_the_estimator(odd: float, place: Wrap) -> None:
    estimator = place(RandomForestRegressor(5, random_state=1))
    estimator.fit(numbers(), target(numbers()))
    rows = numbers(4, seed=9)
    rows[2, 3] = odd

    ours, theirs = asked_both_ways(estimator, rows)

    assert ours == theirs


def test_a_forest_that_learnt_what_is_missing_is_asked_itself() -> None:
    rows = numbers()
    rows[::3, 0] = np.nan
    forest = RandomForestRegressor(5, random_state=1).fit(rows, target(numbers()))

    ours, theirs = asked_both_ways(forest, rows[:9])

    assert ours == theirs
    assert len(ours) == 9


@pytest.mark.parametrize(
    "rows",
    [
        numbers(2).tolist(),
        numbers(2).astype(object),
        numbers(2).astype(np.float32),
        np.asfortranarray(numbers(9)),
        numbers(2)[:, :4],
        numbers(2)[0],
        np.array([["1", "2", "3", "4", "5"]]),
        np.array([[1, 2, None, 4, 5]], dtype=object),
        np.array([[1, 2, "x", 4, 5]], dtype=object),
        np.array([[1, 2, 3, 4, 2**70]], dtype=object),
        np.arange(10).reshape(2, 5),
        OneHotEncoder().fit_transform(numbers(3))[:, :5],
        np.zeros((0, 5)),
    ],
    ids=lambda rows: f"{type(rows).__name__}-{getattr(rows, 'dtype', '')}",
)
def test_rows_of_any_shape_are_taken_or_refused_as_there(rows: Any) -> None:
    forest = RandomForestRegressor(5, random_state=1).fit(numbers(), target(numbers()))

    ours, theirs = asked_both_ways(forest, rows)

    assert ours == theirs


class OwnForest(RandomForestRegressor):  # type: ignore[misc]
    """A forest that may mean anything by `predict`."""


def two_targets() -> np.ndarray:
    return np.column_stack([target(numbers()), numbers()[:, 0]])


@pytest.mark.parametrize(
    ("estimator", "aim"),
    [
        (RandomForestRegressor(3), two_targets),
        (make_pipeline(StandardScaler(), ExtraTreesRegressor(3)), two_targets),
        (RandomForestClassifier(3), lambda: two_targets() > 0),
        (OwnForest(3), lambda: target(numbers())),
        (
            TransformedTargetRegressor(RandomForestRegressor(3), transformer=StandardScaler()),
            lambda: target(numbers()),
        ),
        (MultiOutputRegressor(RandomForestRegressor(3)), two_targets),
        (BaggingRegressor(RandomForestRegressor(3), 2), lambda: target(numbers())),
        (AdaBoostRegressor(RandomForestRegressor(3), n_estimators=2), lambda: target(numbers())),
        (VotingRegressor([("f", RandomForestRegressor(3))]), lambda: target(numbers())),
        (GradientBoostingRegressor(n_estimators=3), lambda: target(numbers())),
        (DecisionTreeRegressor(max_depth=3), lambda: target(numbers())),
        (make_pipeline(StandardScaler(), SVR()), lambda: target(numbers())),
    ],
    ids=lambda value: str(value)[:60] if hasattr(value, "fit") else "",
)
def test_any_other_estimator_is_left_alone(estimator: Any, aim: Callable[[], Any]) -> None:
    estimator.fit(numbers(), aim())

    ours = quick(estimator)

    is_pipeline = isinstance(estimator, Pipeline)
    assert last_of(ours) is (estimator[-1] if is_pipeline else estimator)
    assert_alike(ours.predict(numbers(9)), estimator.predict(numbers(9)))


def test_the_forest_that_ships_says_the_same_of_rows_it_has_not_learnt() -> None:
    estimator, rows, features_of = shipped("random-forest")
    features = features_of(rows)

    ours = quick(estimator)

    assert isinstance(ours, QuickPipeline)
    assert isinstance(ours.transformers[0], QuickColumns)
    # Not by asking the estimator itself after all.
    assert last_of(ours).means(ours.features(features)) is not None
    assert_alike(ours.predict(features), estimator.predict(features))
    for row in rows[:20]:
        one = features_of([row])
        assert_alike(ours.predict(one), estimator.predict(one))


def odd_columns() -> list[ColumnTransformer]:
    """Return column transformers that are asked another way than part by part."""
    scaled, encoded = StandardScaler(), OneHotEncoder()
    return [
        ColumnTransformer([("s", scaled, [0, 1])], transformer_weights={"s": 2.0}),
        ColumnTransformer([("s", scaled, slice(0, 2))], remainder="passthrough"),
        ColumnTransformer([("s", scaled, [True, False, True, False, False])]),
        ColumnTransformer([("s", scaled, lambda rows: [0, 2])]),
        ColumnTransformer([("s", scaled, [-1, -2])]),
        ColumnTransformer([("o", encoded, [0])], sparse_threshold=1.0),
        ColumnTransformer([("s", scaled, []), ("t", StandardScaler(), [3])]),
        ColumnTransformer([("s", "drop", [0]), ("t", StandardScaler(), [3, 1])]),
        ColumnTransformer([("p", "passthrough", [4])], remainder=StandardScaler()),
        ColumnTransformer([("s", scaled, [0, 1])]).set_output(transform="pandas"),
    ]


@pytest.mark.parametrize("columns", odd_columns(), ids=lambda columns: str(columns)[:70])
def test_column_transformers_of_every_kind_say_the_same(columns: ColumnTransformer) -> None:
    estimator = make_pipeline(columns, LinearRegression()).fit(numbers(), target(numbers()))

    ours: Any = quick(estimator)

    for count in COUNTS:
        # OneHotEncoder knows only what it has learnt.
        asked = numbers()[:count]
        assert_alike(ours.predict(asked), estimator.predict(asked))
    for rows in (numbers(2)[:, :4], numbers(2).tolist(), numbers(2)[0]):
        mine, theirs = asked_both_ways(estimator, rows)
        assert mine == theirs
