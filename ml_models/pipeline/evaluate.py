"""The only place that measures an estimator on the rows held out."""

import sys

import joblib
import pandas as pd

from ml_models.pipeline.configuration import BUILD, METRICS, read_params, write_json
from ml_models.pipeline.influences import influences
from ml_models.pipeline.measuring import regression_metrics, regression_plots


def main(slug: str) -> None:
    params = read_params()
    train, test = pd.read_csv(BUILD / "train.csv"), pd.read_csv(BUILD / "test.csv")
    estimator = joblib.load(BUILD / slug / "model.joblib")
    columns = list(params["columns"])
    actual = test[params["target"]["column"]].to_numpy(float)
    predicted = estimator.predict(test[columns].to_numpy(dtype=object))
    rows = {"training_rows": len(train), "test_rows": len(test)}
    write_json(METRICS / f"{slug}.json", regression_metrics(actual, predicted) | rows)
    plots = regression_plots(actual, predicted) | {"influences": influences(estimator, columns)}
    write_json(BUILD / slug / "plots.json", plots)


if __name__ == "__main__":
    main(sys.argv[1])
