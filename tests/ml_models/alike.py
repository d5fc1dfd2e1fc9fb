"""How two ways to one answer are compared: to the last bit, or by the error that they raise."""

from collections.abc import Callable
from copy import copy
from typing import Any

import joblib
import numpy as np
import pandas as pd

from ml_models.inference import on_one_thread
from ml_models.pipeline.configuration import BUILD
from ml_models.releases import read_release
from ml_models.shapes import shaped
from tests.ml_models.builders import ensure_built


def told(ask: Callable[[Any], Any], rows: Any) -> tuple[Any, ...]:
    """Return what is answered, with its type, shape and place in memory; or the error."""
    try:
        made = ask(rows)
    except (ValueError, TypeError, OverflowError) as error:
        return type(error), str(error)
    if not isinstance(made, np.ndarray):
        return type(made), str(made)
    flags = made.flags.c_contiguous, made.flags.f_contiguous
    return made.tobytes(), made.dtype, made.shape, flags


def assert_alike(ours: Any, theirs: Any, rows: Any) -> None:
    """Ask both of a copy: a step may work in place."""
    name = "predict" if hasattr(theirs, "predict") else "transform"
    assert told(getattr(ours, name), copy(rows)) == told(getattr(theirs, name), copy(rows))


def shipped(slug: str) -> tuple[Any, list[Any], Callable[[list[Any]], Any]]:
    """Return a model that ships, a thousand rows that it has not learnt, and what shapes them."""
    ensure_built()
    release = read_release(slug)
    columns = release.input_schema["properties"]
    table = pd.read_csv(BUILD / "test.csv")[list(columns)].head(1_000)

    def features_of(rows: list[Any]) -> Any:
        return shaped(rows, kind=release.input_kind, columns=columns)

    estimator = on_one_thread(joblib.load(BUILD / slug / "model.joblib"))
    return estimator, table.to_numpy(dtype=object).tolist(), features_of
