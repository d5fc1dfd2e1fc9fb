"""Write an artifact as an MLflow model: `python mlflow_model.py ARTIFACT FOLDER`."""

import sys
from typing import Any

import joblib
import mlflow.pyfunc


class Columns(mlflow.pyfunc.PythonModel):
    """The estimator takes an array of objects; MLflow gives a table."""

    def load_context(self, context: Any) -> None:
        self.estimator = joblib.load(context.artifacts["estimator"])

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
        return self.estimator.predict(model_input.to_numpy(dtype=object))


if __name__ == "__main__":
    artifact, folder = sys.argv[1:]
    mlflow.pyfunc.save_model(
        folder,
        python_model=Columns(),
        artifacts={"estimator": artifact},
        pip_requirements=["mlflow"],
    )
