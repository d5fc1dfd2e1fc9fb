"""Goal: a process that predicts has pandas in memory only if an estimator needs it.

Method: an artifact is loaded and asked in a process of its own, which tells what it has loaded.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from ml_models.formats import without_pandas
from ml_models.releases import artifact_path, read_release
from tests.ml_models.builders import dumped, ensure_built
from tests.ml_models.houses import HOUSES, PRICES, columnar

CHECKOUT = Path(__file__).resolve().parents[2]
PROGRAM = """
import json, sys
from pathlib import Path

def is_loaded():
    return "pandas" in sys.modules

from ml_models.formats import estimator_from
from ml_models.shapes import shaped

estimator = estimator_from(Path(sys.argv[1]).read_bytes(), "joblib")
told = {"after loading": is_loaded()}

from ml_models.quick import quick

asked = json.loads(sys.argv[2])
features = shaped(asked["rows"], kind=asked["kind"], columns=asked["columns"])
told["answers"] = quick(estimator).predict(features).tolist()
told["after predicting"] = is_loaded()

import pandas

table = pandas.DataFrame(asked["rows"], columns=list(asked["columns"]))
told["rows of a table"] = len(table)
print(json.dumps(told))
"""


def told_by_a_process(artifact: Path, *, kind: str, rows: list[Any], columns: Any) -> Any:
    asked = json.dumps({"kind": kind, "rows": rows, "columns": columns})
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(artifact), asked],
        cwd=CHECKOUT,
        env=os.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def columns_of(table: pd.DataFrame) -> dict[str, Any]:
    types = {"f": "number", "i": "integer", "b": "boolean"}
    return {name: {"type": types.get(table[name].dtype.kind, "string")} for name in table.columns}


@pytest.mark.parametrize("slug", ["random-forest", "linear-regression"])
def test_a_shipped_model_predicts_without_it_and_leaves_it_to_others(slug: str) -> None:
    ensure_built()
    release = read_release(slug)
    columns = release.input_schema["properties"]
    rows = [[release.example[name] for name in columns]] * 2
    here = joblib.load(artifact_path(slug)).predict(np.array(rows, dtype=object))

    told = told_by_a_process(artifact_path(slug), kind="objects", rows=rows, columns=columns)

    assert (told["after loading"], told["after predicting"]) == (False, False)
    assert told["answers"] == here.tolist()
    assert told["rows of a table"] == 2


def test_a_model_that_takes_a_table_gets_one(tmp_path: Path) -> None:
    estimator = columnar(LinearRegression()).fit(HOUSES, PRICES)
    artifact = tmp_path / "houses.joblib"
    artifact.write_bytes(dumped(estimator))

    told = told_by_a_process(
        artifact, kind="table", rows=HOUSES.to_numpy().tolist(), columns=columns_of(HOUSES)
    )

    assert (told["after loading"], told["after predicting"]) == (False, True)
    assert told["answers"] == estimator.predict(HOUSES).tolist()


def test_an_artifact_that_names_it_brings_it_along(tmp_path: Path) -> None:
    sizes = HOUSES[["size", "rooms"]]
    estimator = make_pipeline(FunctionTransformer(pd.DataFrame.abs), LinearRegression())
    estimator.fit(sizes, PRICES)
    artifact = tmp_path / "sizes.joblib"
    artifact.write_bytes(dumped(estimator))

    told = told_by_a_process(
        artifact, kind="table", rows=sizes.to_numpy().tolist(), columns=columns_of(sizes)
    )

    assert told["after loading"] is True
    assert told["answers"] == estimator.predict(sizes).tolist()


def import_and_fail() -> None:
    with pytest.raises(ImportError):
        import pandas  # noqa: F401
    raise RuntimeError("it broke")


def test_it_can_be_loaded_again_whatever_happened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "pandas")

    with pytest.raises(RuntimeError), without_pandas():
        import_and_fail()

    assert "pandas" not in sys.modules


def test_where_it_is_loaded_already_it_stays() -> None:
    with without_pandas():
        assert sys.modules["pandas"] is pd

    assert sys.modules["pandas"] is pd
