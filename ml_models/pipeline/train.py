"""The only place that builds and fits an estimator, whole: rows as clients send them go in.

An estimator takes a table of objects, one row a list of values in the order of
`columns` in params.yaml. Seeds are fixed and `n_jobs` is 1, so that the same data gives
the same bytes.
"""

import sys
from collections.abc import Callable
from typing import Any

import joblib
import numpy as np
import pandas as pd
import sklearn
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder

from ml_models.pipeline import golden, schema
from ml_models.pipeline.configuration import BUILD, read_params, write_json

# Processors differ in the last digits of a sum; the artifact keeps the digits they share.
SHARED_DECIMALS = 9


def positions(columns: dict[str, Any], names: list[str]) -> list[int]:
    return [place for place, name in enumerate(columns) if name in names]


def categorical(columns: dict[str, Any]) -> list[str]:
    return [name for name, column in columns.items() if "order" in column]


def orders(columns: dict[str, Any]) -> list[list[str]]:
    return [columns[name]["order"] for name in categorical(columns)]


def random_forest(columns: dict[str, Any], training: dict[str, Any]) -> Pipeline:
    """A forest over the numbers as they are and the categories as their rank."""
    ranked = categorical(columns)
    plain = [name for name in columns if name not in ranked]
    features = ColumnTransformer(
        [
            ("ranks", OrdinalEncoder(categories=orders(columns)), positions(columns, ranked)),
            ("numbers", FunctionTransformer(validate=True), positions(columns, plain)),
        ]
    )
    forest = RandomForestRegressor(
        n_estimators=training["trees"],
        max_leaf_nodes=training["leaves"],
        max_features=training["feature_share"],
        random_state=training["seed"],
        n_jobs=1,
    )
    return Pipeline([("features", features), ("forest", forest)])


def linear_regression(columns: dict[str, Any], training: dict[str, Any]) -> Pipeline:
    """Least squares on the logarithm of the target, so that no price is below zero."""
    logged, chosen = training["logarithms"], categorical(columns)
    plain = [name for name in columns if name not in logged + chosen]
    one_hot = OneHotEncoder(categories=orders(columns), drop="first", sparse_output=False)
    features = ColumnTransformer(
        [
            ("choices", one_hot, positions(columns, chosen)),
            ("logarithms", FunctionTransformer(np.log, validate=True), positions(columns, logged)),
            ("numbers", FunctionTransformer(validate=True), positions(columns, plain)),
        ]
    )
    line = TransformedTargetRegressor(LinearRegression(), func=np.log, inverse_func=np.exp)
    return Pipeline([("features", features), ("line", line)])


BUILDERS: dict[str, Callable[[dict[str, Any], dict[str, Any]], Pipeline]] = {
    "random-forest": random_forest,
    "linear-regression": linear_regression,
}


def round_line(line: LinearRegression) -> None:
    for name in ("coef_", "intercept_", "singular_"):
        setattr(line, name, np.round(getattr(line, name), SHARED_DECIMALS))


def fit(slug: str, rows: pd.DataFrame, params: dict[str, Any]) -> Pipeline:
    columns = params["columns"]
    estimator = BUILDERS[slug](columns, params["models"][slug]["training"])
    estimator.fit(
        rows[list(columns)].to_numpy(dtype=object), rows[params["target"]["column"]].to_numpy(float)
    )
    if isinstance(estimator[-1], TransformedTargetRegressor):
        round_line(estimator[-1].regressor_)
    return estimator


def answered(
    estimator: Pipeline, rows: pd.DataFrame, columns: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return golden rows of the training data with what the estimator gives for them."""
    chosen = rows[list(columns)].iloc[golden.positions(rows)]
    predicted = estimator.predict(chosen.to_numpy(dtype=object)).tolist()
    return [
        golden.golden_row(row, {"prediction": golden.shared(value)})
        for row, value in zip(chosen.to_dict("records"), predicted, strict=True)
    ]


def card(estimator: Pipeline, rows: pd.DataFrame, params: dict[str, Any]) -> dict[str, Any]:
    described = schema.input_schema(rows, params["columns"])
    properties = described["properties"].items()
    return {
        "sklearn_version": sklearn.__version__,
        "input_schema": described,
        "output_schema": schema.output_schema(params["target"]),
        "example": {name: column["examples"][0] for name, column in properties},
        "golden_rows": answered(estimator, rows, params["columns"]),
    }


def main(slug: str) -> None:
    params = read_params()
    rows = pd.read_csv(BUILD / "train.csv")
    estimator = fit(slug, rows, params)
    write_json(BUILD / slug / "card.json", card(estimator, rows, params))
    # Uncompressed: compressed bytes would depend on the machine's zlib.
    joblib.dump(estimator, BUILD / slug / "model.joblib")


if __name__ == "__main__":
    main(sys.argv[1])
