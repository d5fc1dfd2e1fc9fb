"""The only place that tries out an estimator that somebody brought, as the service will ask it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import sklearn

from ml_models.errors import NotPublishable, in_words
from ml_models.formats import SKOPS, estimator_from, skops_from
from ml_models.golden import first_difference
from ml_models.inference import Predicted, answer, as_output, ask, is_finite, on_one_thread
from ml_models.releases import Release, describe_artifact


def answers_to_sample(estimator: Any, rows: pd.DataFrame, gives: dict[str, Any]) -> list[Predicted]:
    """Return what the estimator in hand gives for the sample, asked as it was fitted."""
    failures = []
    for features in as_fitted(estimator, rows):
        try:
            outputs = answer(estimator, features, output_schema=gives)
        # A pipeline may raise what it likes over input that it was not made for.
        except Exception as failure:
            failures.append(in_words(failure))
        else:
            refuse_endless(outputs)
            return outputs
    raise NotPublishable(f"The estimator does not predict the sample. {failures[0]}")


def as_fitted(estimator: Any, rows: pd.DataFrame) -> Iterator[Any]:
    """Yield the sample with its names for who has learnt names, else first without."""
    if not hasattr(estimator, "feature_names_in_"):
        yield rows.to_numpy()
    yield rows


def refuse_endless(outputs: Sequence[Predicted]) -> None:
    for number, output in enumerate(outputs, start=1):
        if not is_finite(output):
            raise NotPublishable(f"The estimator gives no finite number for row {number}.")


def input_kind(estimator: Any, release: Release) -> str:
    """Return the quickest shape of rows for which the estimator gives what it gave the sample."""
    expected = [row["output"] for row in release.golden_rows]
    said = ""
    for kind in kinds_for(release):
        try:
            outputs = answers_to_golden_rows(estimator, replace(release, input_kind=kind))
        # It says by an error that it takes another shape.
        except Exception as failure:
            said = in_words(failure)
            continue
        given = [as_output(output) for output in outputs]
        is_label = "enum" in release.output_schema
        if not (said := first_difference(expected, given, is_label=is_label)):
            return kind
    raise NotPublishable(
        "For rows as clients send them, the estimator does not give what it gives for the sample. "
        + said
    )


def kinds_for(release: Release) -> list[str]:
    types = [column["type"] for column in release.input_schema["properties"].values()]
    has_text = any("string" in ([kind] if isinstance(kind, str) else kind) for kind in types)
    return ["objects", "table"] if has_text else ["numbers", "objects", "table"]


def answers_to_golden_rows(estimator: Any, release: Release) -> list[Predicted]:
    rows = [list(row["input"].values()) for row in release.golden_rows]
    return ask(estimator, model=release, rows=rows)


def in_skops(
    estimator: Any, release: Release, content: bytes, *, is_must: bool
) -> tuple[Release, bytes]:
    """Return the release in skops if it answers to the last bit the same, else as it is.

    Raise NotPublishable instead where skops is a must.
    """
    try:
        safe = skops_from(estimator)
        again = answers_to_golden_rows(on_one_thread(estimator_from(safe, SKOPS)), release)
        said = "" if again == answers_to_golden_rows(estimator, release) else "Answers differ."
    # skops refuses what it does not know; joblib is what remains.
    except Exception as failure:
        said = in_words(failure)
    if not said:
        artifact = describe_artifact(safe, sklearn.__version__, SKOPS)
        return replace(release, artifact=artifact), safe
    if is_must:
        raise NotPublishable(f"The estimator does not go through skops unchanged. {said}")
    return release, content
