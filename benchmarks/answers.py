"""The only place that decides whether what was answered under load was right."""

import json
import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests

from benchmarks.load import Measured
from benchmarks.rows import TOLERANCE, Model, Row
from benchmarks.target import Target
from tests.e2e.live import LiveService

SETTLED_SECONDS = 120
UNFINISHED = """
    SELECT count(*) FROM predictions_prediction WHERE status IN ('starting', 'processing')"""
FINISHED = """
    SELECT model.slug, prediction.status, prediction.input, prediction.output
    FROM predictions_prediction AS prediction
    JOIN ml_models_modelversion AS version ON version.id = prediction.version_id
    JOIN ml_models_mlmodel AS model ON model.id = version.model_id
    WHERE prediction.id > %s"""
LAST = "SELECT id FROM predictions_prediction ORDER BY id DESC LIMIT 1"
NONE_YET = "00000000-0000-0000-0000-000000000000"


class WrongAnswer(AssertionError):
    """Something predicted other than the estimator does; its figures are worth nothing."""


def check_target(target: Target, model: Model, rows: Sequence[Row], *, at_once: int) -> None:
    """Ask for each row, several at once so that they are batched as under load; check all."""
    expected = model.predict(rows)
    with ThreadPoolExecutor(at_once) as pool:
        given = list(pool.map(lambda row: ask(target, model, row), rows))
    if not model.agrees(expected, given):
        raise WrongAnswer(f"{target.name}, {model.slug}: {differing(expected, given)}")


def ask(target: Target, model: Model, row: Row) -> float:
    """Send the very bytes that the load sends, and read the one prediction of the answer."""
    head, _, body = target.request(model, [row], 0).partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    path = first.split()[1]
    headers = dict(line.split(": ", 1) for line in lines)
    answer = requests.post(target.address(model) + path, data=body, headers=headers, timeout=60)
    assert answer.status_code == target.expected, answer.text
    [value] = target.predictions(answer.text)
    return value


def check_samples(
    target: Target, model: Model, measured: Measured, expected: Sequence[float]
) -> int:
    """Check that what was kept of the load's own answers are predictions of what it asked."""
    bodies = [body for status, body in measured.samples if status == target.expected]
    given = [value for body in bodies for value in target.predictions(body)]
    known = sorted(expected)
    tolerance = TOLERANCE[model.slug]
    wrong = [value for value in given if not is_near_one_of(known, value, tolerance)]
    if wrong or not given:
        raise WrongAnswer(f"{target.name}, {model.slug}: {wrong[:5]} of {len(given)}")
    return len(given)


def is_near_one_of(known: Sequence[float], value: float, tolerance: float) -> bool:
    """Look a value up among sorted ones, of which only the neighbours can be near enough."""
    place = bisect_left(known, value)
    near = known[max(0, place - 1) : place + 1]
    return any(math.isclose(value, one, rel_tol=tolerance, abs_tol=0.0) for one in near)


def last_stored(service: LiveService) -> str:
    found = service.query(LAST)
    return str(found[0][0]) if found else NONE_YET


def check_stored(
    service: LiveService, *, after: str, model_of: Callable[[str], Model] = Model
) -> int:
    """Check every stored answer since `after` against the estimators, and then the books.

    Wait for what the load left behind when it stopped. Return how many were checked.
    """
    service.wait_until(
        lambda: service.query(UNFINISHED) == [(0,)],
        "all is finished that was accepted",
        timeout_seconds=SETTLED_SECONDS,
    )
    asked: dict[str, list[tuple[Any, Any]]] = defaultdict(list)
    for slug, status, sent, output in service.query(FINISHED, [after]):
        if status != "succeeded":
            raise WrongAnswer(f"{slug} ended {status}")
        asked[slug].append((json.loads(sent), json.loads(output)))
    for slug, pairs in asked.items():
        check_pairs(model_of(slug), pairs)
    service.manage("audit_ledger")
    return sum(map(len, asked.values()))


def check_pairs(model: Model, pairs: Sequence[tuple[Any, Any]]) -> None:
    rows = [row for sent, _ in pairs for row in (sent if isinstance(sent, list) else [sent])]
    given = [entry["prediction"] for _, output in pairs for entry in output]
    # The same rows were asked for again and again.
    distinct = {tuple(row.values()): row for row in rows}
    known = dict(zip(distinct, model.predict(list(distinct.values())), strict=True))
    expected = [known[tuple(row.values())] for row in rows]
    if not model.agrees(expected, given):
        raise WrongAnswer(f"{model.slug}: {differing(expected, given)}")


def differing(expected: Sequence[float], given: Sequence[float]) -> str:
    pairs = [pair for pair in zip(expected, given, strict=False) if pair[0] != pair[1]]
    return f"{len(given)} of {len(expected)} answers; (right, given): {pairs[:5]}"
