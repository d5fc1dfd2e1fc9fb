"""The only place that replays golden rows: what a version gave, it must give before it serves."""

import math
from collections.abc import Sequence
from typing import Any

from ml_models.artifacts import load_estimator
from ml_models.errors import ArtifactIncompatible, GoldenRowsDiffer, in_words
from ml_models.formats import Estimator
from ml_models.releases import Described

TOLERANCE = 1e-9
# What cancels out to nearly nothing is measured by the size of the other values.
NEAR_ZERO = 1e-12

Output = dict[str, Any]


def replay(model: Described) -> Estimator:
    """Load the stored artifact, and have it answer the golden rows, as a worker does.

    Return the estimator. Raise GoldenRowsDiffer if an answer is another one, and whatever loading
    raises.
    """
    # Imported here, since the web processes name this module and hardly ever replay: numpy
    # would cost each of them its memory.
    from ml_models.inference import on_one_thread

    estimator = on_one_thread(load_estimator(model.artifact))
    answers = answers_of(estimator, model)
    expected = [golden["output"] for golden in model.golden_rows]
    if said := first_difference(expected, answers, is_label="enum" in model.output_schema):
        raise GoldenRowsDiffer(said)
    return estimator


def answers_of(estimator: Estimator, model: Described) -> list[Output]:
    from ml_models import inference
    from ml_models.quick import quick

    names = list(model.input_schema["properties"])
    rows = [[golden["input"][name] for name in names] for golden in model.golden_rows]
    try:
        answers = inference.ask(quick(estimator), model=model, rows=rows) if rows else []
    # An estimator may raise what it likes; it has answered these rows before.
    except Exception as failure:
        raise ArtifactIncompatible(
            f"The golden rows cannot be predicted: {in_words(failure)}"
        ) from failure
    return [inference.as_output(answer) for answer in answers]


def first_difference(
    expected: Sequence[Output], answers: Sequence[Output], *, is_label: bool
) -> str:
    """Name the first row whose answer is not the expected one, and how they differ, or say ""."""
    scale = 0.0 if is_label else max((abs(one["prediction"]) for one in expected), default=0.0)
    for number, (right, answer) in enumerate(zip(expected, answers, strict=True), start=1):
        said = label_differs(right, answer) if is_label else value_differs(right, answer, scale)
        if said:
            return f"Golden row {number}: {said}."
    return ""


def value_differs(right: Output, answer: Output, scale: float) -> str:
    due, given = right["prediction"], answer["prediction"]
    if math.isclose(due, given, rel_tol=TOLERANCE, abs_tol=NEAR_ZERO * scale):
        return ""
    return f"the artifact gives {given}, not {due}; they differ by {abs(due - given):.3g}"


def label_differs(right: Output, answer: Output) -> str:
    due, given = right["prediction"], answer["prediction"]
    if due != given:
        return f"the artifact gives the label {given!r}, not {due!r}"
    due, given = right.get("probabilities", {}), answer.get("probabilities", {})
    if list(due) != list(given):
        return f"the artifact knows the labels {list(given)}, not {list(due)}"
    for name in due:
        if not abs(due[name] - given[name]) <= TOLERANCE:
            return f"the probability of {name} is {given[name]}, not {due[name]}"
    return ""
