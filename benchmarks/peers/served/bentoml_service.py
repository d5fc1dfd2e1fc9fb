"""What BentoML runs: rows as lists of values, with its batching or without."""

import os
from typing import Any

import bentoml
import joblib
import numpy as np

ARTIFACTS = {name: os.environ[f"ARTIFACT_{name}"] for name in ("forest", "linear")}
BATCHED = os.environ["BATCHED"] == "1"
WORKERS = int(os.environ["WORKERS"])


def predicted(estimator: Any, rows: list[list[Any]]) -> list[float]:
    values: list[float] = estimator.predict(np.array(rows, dtype=object)).tolist()
    return values


@bentoml.service(workers=WORKERS, traffic={"timeout": 60, "max_concurrency": 1000})
class Diamonds:
    def __init__(self) -> None:
        self.estimators = {name: joblib.load(path) for name, path in ARTIFACTS.items()}

    @bentoml.api(batchable=BATCHED, max_batch_size=64, max_latency_ms=1000)
    def forest(self, rows: list[list[Any]]) -> list[float]:
        return predicted(self.estimators["forest"], rows)

    @bentoml.api(batchable=BATCHED, max_batch_size=64, max_latency_ms=1000)
    def linear(self, rows: list[list[Any]]) -> list[float]:
        return predicted(self.estimators["linear"], rows)
