"""The only place that measures an estimator on the rows held out."""

import sys
from typing import Any

import joblib
import pandas as pd
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from ml_models.pipeline.configuration import BUILD, METRICS, read_params, write_json


def measure(prices: pd.DataFrame) -> dict[str, Any]:
    """Compare the columns `actual` and `predicted`; errors in the target's unit."""
    actual, predicted = prices["actual"], prices["predicted"]
    return {
        "mae": round(float(mean_absolute_error(actual, predicted)), 2),
        "rmse": round(float(root_mean_squared_error(actual, predicted)), 2),
        "r2": round(float(r2_score(actual, predicted)), 4),
    }


def deciles(prices: pd.DataFrame) -> pd.DataFrame:
    """Return the mean actual and predicted value in each tenth of the rows, cheapest first."""
    tenth = pd.qcut(prices["actual"].rank(method="first"), 10, labels=range(1, 11))
    means = prices.groupby(tenth.rename("decile"), observed=True).mean()
    return means.round(2)


def main(slug: str) -> None:
    params = read_params()
    train, test = pd.read_csv(BUILD / "train.csv"), pd.read_csv(BUILD / "test.csv")
    estimator = joblib.load(BUILD / slug / "model.joblib")
    features = test[list(params["columns"])].to_numpy(dtype=object)
    actual = test[params["target"]["column"]]
    prices = pd.DataFrame({"actual": actual, "predicted": estimator.predict(features)})
    rows = {"training_rows": len(train), "test_rows": len(test)}
    write_json(METRICS / f"{slug}.json", measure(prices) | rows)
    deciles(prices).to_csv(BUILD / slug / "deciles.csv", lineterminator="\n")


if __name__ == "__main__":
    main(sys.argv[1])
