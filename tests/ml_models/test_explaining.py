"""Goal: what is said to have made a prediction adds up to it, and is what made it.

Method: estimators of each kind are fitted on data where the answer is known, and asked through
the same door as the worker's. The sum is checked to 1e-9 against the estimator's own answer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Lasso, LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    KBinsDiscretizer,
    OneHotEncoder,
    PolynomialFeatures,
    StandardScaler,
)
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from ml_models.errors import ExplanationsNotOffered
from ml_models.explanations import Explainer, explains
from ml_models.inference import Explanation, Predicted, ask, on_one_thread
from ml_models.pipeline.configuration import BUILD
from ml_models.releases import Release, built_slugs, read_release
from tests.ml_models.builders import ensure_built, make_estimator

COLUMNS = {
    "width": {"type": "number", "x-training-range": [0.0, 10.0]},
    "age": {"type": ["number", "null"], "x-training-range": [0.0, 50.0]},
    "grade": {"type": "string", "enum": ["a", "b", "c"]},
}
NUMBERS = {name: {"type": "number", "x-training-range": [0.0, 9.0]} for name in "pqr"}


@dataclass(frozen=True)
class Told:
    """A model as far as explaining asks about it."""

    input_schema: dict[str, Any]
    example: dict[str, Any]
    output_schema: dict[str, Any] = field(default_factory=lambda: {"type": "number"})
    input_kind: str = "objects"
    golden_rows: list[Any] = field(default_factory=list)


def mixed() -> Any:
    return Told({"properties": COLUMNS}, {"width": 4.0, "age": 20.0, "grade": "b"})


def numeric(**changes: Any) -> Any:
    example = {"p": 1.0, "q": 2.0, "r": 3.0}
    return Told({"properties": NUMBERS}, example, input_kind="numbers", **changes)


def classified(labels: Sequence[str]) -> Any:
    schema = {"type": "string", "enum": list(labels), "x-probabilities": list(labels)}
    return numeric(output_schema=schema)


def mixed_rows(count: int = 200) -> tuple[list[list[Any]], np.ndarray]:
    random = np.random.default_rng(3)
    rows: list[list[Any]] = [
        [float(w), float(a) if a > 5 else None, "abc"[g]]
        for w, a, g in zip(
            random.uniform(0, 10, count),
            random.uniform(0, 50, count),
            random.integers(0, 3, count),
            strict=True,
        )
    ]
    target = [1 + 3 * w + 0.5 * (a or 25) + 10 * "abc".index(g) for w, a, g in rows]
    return rows, np.array(target) + random.normal(0, 0.5, count)


def numeric_rows(count: int = 150) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(5)
    rows = random.uniform(0, 9, (count, 3))
    return rows, 5 + rows[:, 0] * 2 + np.where(rows[:, 1] > 4, 7.0, 0.0) - rows[:, 2]


def prepared(last: Any) -> Pipeline:
    """Return a pipeline over the mixed columns: imputed and scaled numbers, one-hot grades."""
    numbers = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    columns = ColumnTransformer([("n", numbers, [0, 1]), ("g", OneHotEncoder(), [2])])
    return make_pipeline(columns, last)


def fitted_on_mixed(last: Any) -> Any:
    rows, target = mixed_rows()
    array = np.array(rows, dtype=object)
    array[array == None] = np.nan  # noqa: E711
    return prepared(last).fit(array, target)


def explained(
    estimator: Any, model: Any, rows: Sequence[Sequence[Any]]
) -> list[tuple[Predicted, Explanation]]:
    predicted = ask(estimator, model=model, rows=rows)
    answers = Explainer(estimator, model).explain(rows, predicted)
    return list(zip(predicted, answers, strict=True))


def total(explanation: Explanation) -> float:
    return explanation.base + sum(explanation.contributions.values())


def logged(regressor: Any) -> TransformedTargetRegressor:
    return TransformedTargetRegressor(regressor, func=np.log, inverse_func=np.exp)


@pytest.mark.parametrize(
    "last",
    [
        LinearRegression(),
        Ridge(alpha=3),
        Lasso(alpha=0.01),
        logged(LinearRegression()),
        DecisionTreeRegressor(max_depth=4, random_state=1),
        RandomForestRegressor(n_estimators=7, random_state=1),
        ExtraTreesRegressor(n_estimators=5, random_state=1),
        logged(RandomForestRegressor(n_estimators=5, random_state=1)),
        RandomForestRegressor(n_estimators=3, max_depth=2, criterion="absolute_error"),
        RandomForestRegressor(n_estimators=2, min_samples_leaf=200),
        GridSearchCV(Ridge(), {"alpha": [0.1, 1]}, cv=2),
    ],
    ids=str,
)
def test_base_and_contributions_add_up_to_the_prediction(last: Any) -> None:
    estimator = fitted_on_mixed(last)
    rows, _ = mixed_rows(60)

    for predicted, explanation in explained(estimator, mixed(), rows):
        assert total(explanation) == pytest.approx(predicted, rel=1e-9)
        assert list(explanation.contributions) == ["width", "age", "grade"]


@pytest.mark.parametrize("slug", ["linear-regression", "random-forest"])
def test_the_models_that_ship_add_up_over_rows_that_they_have_not_learnt(slug: str) -> None:
    ensure_built()
    assert slug in built_slugs()
    release, estimator = built(slug)
    names = list(release.input_schema["properties"])
    rows = pd.read_csv(BUILD / "test.csv")[names].head(500).to_numpy(dtype=object).tolist()

    for predicted, explanation in explained(estimator, release, rows):
        assert total(explanation) == pytest.approx(predicted, rel=1e-9)


def built(slug: str) -> tuple[Release, Any]:
    import joblib

    return read_release(slug), on_one_thread(joblib.load(BUILD / slug / "model.joblib"))


def test_a_line_adds_its_slopes_times_the_distance_to_the_example() -> None:
    estimator = make_estimator(slope=2.0)
    columns = {name: {"type": "number"} for name in ("width", "age")}
    model: Any = Told({"properties": columns}, {"width": 1.5, "age": 2.0}, input_kind="numbers")

    [(predicted, explanation)] = explained(estimator, model, [[4.0, 10.0]])

    assert predicted == pytest.approx(18)
    assert explanation.base == pytest.approx(5)
    assert explanation.contributions == pytest.approx({"width": 5.0, "age": 8.0})


def test_the_example_itself_adds_nothing() -> None:
    estimator = fitted_on_mixed(logged(LinearRegression()))

    [(predicted, explanation)] = explained(estimator, mixed(), [[4.0, 20.0, "b"]])

    assert explanation.base == pytest.approx(predicted, rel=1e-12)
    assert set(explanation.contributions.values()) == {0.0}


def test_a_curve_shares_its_way_as_the_score_is_shared() -> None:
    estimator = fitted_on_mixed(logged(LinearRegression()))

    [(_, straight)] = explained(estimator, mixed(), [[5.0, 20.0, "b"]])
    [(_, both)] = explained(estimator, mixed(), [[5.0, 20.0, "c"]])

    assert straight.contributions["grade"] == 0
    score = estimator[-1].regressor_
    features = estimator[:-1].transform(
        np.array([[4.0, 20.0, "b"], [5.0, 20.0, "b"], [4.0, 20.0, "c"]], dtype=object)
    )
    at, wider, graded = score.predict(features)
    assert both.contributions["width"] / both.contributions["grade"] == pytest.approx(
        (wider - at) / (graded - at), rel=1e-6
    )


def test_a_tiny_step_along_a_curve_is_no_noise() -> None:
    estimator = fitted_on_mixed(logged(LinearRegression()))

    [(_, tiny)] = explained(estimator, mixed(), [[4.0 + 1e-9, 20.0, "b"]])
    [(_, small)] = explained(estimator, mixed(), [[4.0 + 1e-3, 20.0, "b"]])

    assert tiny.contributions["width"] * 1e6 == pytest.approx(
        small.contributions["width"], rel=1e-2
    )


def test_a_stump_gives_all_to_the_column_that_it_splits() -> None:
    rows, _ = numeric_rows()
    target = np.where(rows[:, 1] > 4, 10.0, 2.0)
    stump = DecisionTreeRegressor(max_depth=1).fit(rows, target)

    [(_, low), (_, high)] = explained(stump, numeric(), [[1.0, 1.0, 1.0], [1.0, 8.0, 1.0]])

    mean = float(target.mean())
    assert low.base == high.base == pytest.approx(mean)
    assert low.contributions == pytest.approx({"p": 0, "q": 2.0 - mean, "r": 0})
    assert high.contributions == pytest.approx({"p": 0, "q": 10.0 - mean, "r": 0})


def test_a_path_of_two_splits_shares_the_way_between_their_columns() -> None:
    rows = np.array([[0, 0, 0], [0, 9, 0], [9, 0, 0], [9, 9, 0]], dtype=float)
    tree = DecisionTreeRegressor().fit(rows, [0.0, 0.0, 10.0, 14.0])

    [(_, explanation)] = explained(tree, numeric(), [[9.0, 9.0, 0.0]])

    assert explanation.base == pytest.approx(6)
    assert explanation.contributions == pytest.approx({"p": 6, "q": 2, "r": 0})


@pytest.mark.parametrize(
    "classifier",
    [
        DecisionTreeClassifier(max_depth=3, random_state=2),
        RandomForestClassifier(n_estimators=9, random_state=2),
        RandomForestClassifier(n_estimators=4, class_weight="balanced", random_state=2),
    ],
    ids=str,
)
def test_trees_explain_the_probability_of_the_label_they_give(classifier: Any) -> None:
    rows, target = numeric_rows()
    labels = np.array(["high", "low", "mid"])[np.digitize(target, [4, 10])]
    classifier.fit(rows, labels)

    for predicted, explanation in explained(
        classifier, classified(["high", "low", "mid"]), rows.tolist()
    ):
        assert not isinstance(predicted, float)
        probability = predicted.probabilities[str(predicted.label)]
        assert total(explanation) == pytest.approx(probability, rel=1e-9)


def test_a_line_of_two_labels_explains_the_probability_of_either() -> None:
    rows, target = numeric_rows()
    estimator = make_pipeline(StandardScaler(), LogisticRegression())
    estimator.fit(rows, np.where(target > 8, "high", "low"))

    answers = explained(estimator, classified(["high", "low"]), rows.tolist())

    assert {one.label for one, _ in answers if not isinstance(one, float)} == {"high", "low"}
    for predicted, explanation in answers:
        assert not isinstance(predicted, float)
        probability = predicted.probabilities[str(predicted.label)]
        assert total(explanation) == pytest.approx(probability, rel=1e-9)


def test_a_line_over_mixed_columns_is_still_a_sum_of_them() -> None:
    rows, target = numeric_rows()
    estimator = make_pipeline(PCA(2), LinearRegression()).fit(rows, target)

    for predicted, explanation in explained(estimator, numeric(), rows[:20].tolist()):
        assert total(explanation) == pytest.approx(predicted, rel=1e-9)


def test_bins_of_a_number_are_its_own() -> None:
    rows, target = numeric_rows()
    estimator = make_pipeline(KBinsDiscretizer(4), RandomForestRegressor(5)).fit(rows, target)

    for predicted, explanation in explained(estimator, numeric(), rows[:20].tolist()):
        assert total(explanation) == pytest.approx(predicted, rel=1e-9)


@pytest.mark.parametrize(
    ("make", "model"),
    [
        (lambda: KNeighborsRegressor().fit(*numeric_rows()), numeric()),
        (lambda: GradientBoostingRegressor(n_estimators=3).fit(*numeric_rows()), numeric()),
        (lambda: make_pipeline(PCA(2), RandomForestRegressor(3)).fit(*numeric_rows()), numeric()),
        (
            lambda: make_pipeline(PolynomialFeatures(2), LinearRegression()).fit(*numeric_rows()),
            numeric(golden_rows=[{"input": {"p": 4.0, "q": 1.0, "r": 8.0}}]),
        ),
        (
            lambda: LogisticRegression().fit(
                numeric_rows()[0], np.array(list("abc"))[np.digitize(numeric_rows()[1], [4, 10])]
            ),
            classified(["a", "b", "c"]),
        ),
        (
            lambda: LinearSVC().fit(numeric_rows()[0], np.where(numeric_rows()[1] > 8, "a", "b")),
            numeric(output_schema={"type": "string", "enum": ["a", "b"]}),
        ),
    ],
    ids=["neighbours", "boosting", "mixed for trees", "products", "three labels", "no probability"],
)
def test_what_is_no_sum_of_its_columns_is_not_offered(make: Callable[[], Any], model: Any) -> None:
    assert explains(make(), model) is False


def test_a_sum_that_is_not_the_prediction_is_refused() -> None:
    estimator = make_estimator()
    columns = {name: {"type": "number"} for name in ("width", "age")}
    model: Any = Told({"properties": columns}, {"width": 1.5, "age": 2.0}, input_kind="numbers")

    with pytest.raises(ExplanationsNotOffered, match="add up"):
        Explainer(estimator, model).explain([[1.0, 2.0]], [4.0 + 1e-6])


def test_many_rows_of_many_columns_are_asked_about_in_slices(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows, target = numeric_rows()
    estimator = LinearRegression().fit(rows, target)
    whole = explained(estimator, numeric(), rows.tolist())

    monkeypatch.setattr("ml_models.explanations.ROWS_AT_ONCE", 7)

    for (_, first), (_, second) in zip(
        explained(estimator, numeric(), rows.tolist()), whole, strict=True
    ):
        assert first.contributions == pytest.approx(second.contributions, rel=1e-12)
