"""The only place that knows what is asked in a benchmark, and what the right answers are."""

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import joblib
import numpy as np

BUILD = Path(__file__).resolve().parents[1] / "ml_models" / "build"
FOREST, LINEAR = "random-forest", "linear-regression"
MODELS = (FOREST, LINEAR)
# A prediction of several linear rows may differ in its last bits from that of one.
TOLERANCE = {FOREST: 0.0, LINEAR: 1e-12}

Row = dict[str, Any]


@dataclass(frozen=True)
class Model:
    """One of the shipped artifacts as a benchmark sees it: its columns and its own estimator."""

    slug: str

    @property
    def artifact(self) -> Path:
        return BUILD / self.slug / "model.joblib"

    @cached_property
    def columns(self) -> dict[str, str]:
        card = json.loads((BUILD / self.slug / "card.json").read_text())
        return {name: column["type"] for name, column in card["input_schema"]["properties"].items()}

    @cached_property
    def estimator(self) -> Any:
        return joblib.load(self.artifact)

    def rows(self, count: int) -> list[Row]:
        """Return the first rows that the model was not trained on, as often as it takes."""
        with (BUILD / "test.csv").open() as file:
            held_out = [self._typed(line) for line in islice(csv.DictReader(file), count)]
        return [held_out[number % len(held_out)] for number in range(count)]

    def predict(self, rows: Sequence[Row]) -> list[float]:
        """Return what the estimator itself says of the rows."""
        predicted: list[float] = self.estimator.predict(self.features(rows)).tolist()
        return predicted

    def features(self, rows: Sequence[Row]) -> Any:
        return np.array([self.values(row) for row in rows], dtype=object)

    def values(self, row: Row) -> list[Any]:
        return [row[name] for name in self.columns]

    def agrees(self, expected: Sequence[float], given: Sequence[float]) -> bool:
        """Tell whether the answers are the right ones: of a forest to the last bit."""
        tolerance = TOLERANCE[self.slug]
        return len(expected) == len(given) and all(
            math.isclose(right, answer, rel_tol=tolerance, abs_tol=0.0)
            for right, answer in zip(expected, given, strict=True)
        )

    def _typed(self, line: dict[str, str]) -> Row:
        return {
            name: line[name] if kind == "string" else float(line[name])
            for name, kind in self.columns.items()
        }
