"""The only place that makes a release of an estimator which somebody brought, with a sample."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import sklearn
from django.core.exceptions import ValidationError

from ml_models import fitted, held_out, samples, trials
from ml_models.errors import NotPublishable
from ml_models.formats import JOBLIB, SKOPS
from ml_models.inference import as_output
from ml_models.models import MLModel
from ml_models.pipeline import golden
from ml_models.pipeline.influences import influences
from ml_models.releases import Release, describe_artifact
from ml_models.rows import RowChecker
from ml_models.written import Written, read_card

logger = logging.getLogger(__name__)

AUTO = "auto"


@dataclass(frozen=True, kw_only=True)
class Brought:
    """What the publisher hands over: two files, and the words and the price of the model."""

    artifact: Path
    sample: Path
    slug: str
    title: str
    description: str = ""
    price: int = 1
    output: str = ""
    unit: str = ""
    format: str = AUTO
    card: Path | None = None
    held_out: Path | None = None
    target: str = ""


def make_release(brought: Brought) -> tuple[Release, bytes]:
    """Return the release and its artifact's bytes; raise NotPublishable and say why not."""
    written = read_card(brought.card) if brought.card else Written()
    refuse_words(brought, written)
    content, format = read_artifact(brought)
    estimator = fitted.loaded(content, format)
    rows = samples.read_sample(brought.sample)
    fitted.refuse_misfit(estimator, [str(name) for name in rows])
    release = described(brought, estimator, rows, content, format)
    release = with_card(brought, estimator, release, written)
    release = replace(release, input_kind=trials.input_kind(estimator, release))
    if format == JOBLIB and brought.format != JOBLIB:
        return trials.in_skops(estimator, release, content, is_must=brought.format == SKOPS)
    return release, content


def refuse_words(brought: Brought, written: Written) -> None:
    words = {"title": brought.title, "description": brought.description} | written.model_words
    said = MLModel(slug=brought.slug, **words)
    try:
        said.clean_fields(exclude=["stable"])
    except ValidationError as refusal:
        complaints = (f"{name}: {' '.join(why)}" for name, why in refusal.message_dict.items())
        raise NotPublishable(" ".join(complaints)) from refusal


def read_artifact(brought: Brought) -> tuple[bytes, str]:
    format = brought.artifact.suffix.removeprefix(".").lower()
    if format not in (JOBLIB, SKOPS):
        raise NotPublishable(f"An artifact is a .joblib or .skops file: {brought.artifact.name}.")
    if format == SKOPS and brought.format == JOBLIB:
        raise NotPublishable("A .skops file stays skops, which is the safer format.")
    try:
        return brought.artifact.read_bytes(), format
    except OSError as failure:
        raise NotPublishable(f"The artifact cannot be read: {failure}") from failure


def described(
    brought: Brought, estimator: Any, rows: pd.DataFrame, content: bytes, format: str
) -> Release:
    """Derive all that is said about the model, golden rows with their outputs included."""
    takes = samples.input_schema(rows)
    words = {"title": brought.output, "unit": brought.unit}
    gives = fitted.output_schema(estimator, {key: word for key, word in words.items() if word})
    places = golden.positions(rows)
    sent = checked(samples.records(rows.iloc[places]), takes, places)
    outputs = trials.answers_to_sample(estimator, rows, gives)
    return Release(
        slug=brought.slug,
        title=brought.title,
        description=brought.description,
        price=brought.price,
        artifact=describe_artifact(content, sklearn.__version__, format),
        input_schema=takes,
        output_schema=gives,
        example={name: column["examples"][0] for name, column in takes["properties"].items()},
        metrics={},
        golden_rows=[
            golden.golden_row(row, as_output(outputs[place]))
            for row, place in zip(sent, places, strict=True)
        ],
    )


def with_card(brought: Brought, estimator: Any, release: Release, written: Written) -> Release:
    """Add what was written, and what the rows held out show; what was measured here counts."""
    columns = list(release.input_schema["properties"])
    metrics: dict[str, Any] = {}
    plots: dict[str, Any] = {}
    if brought.held_out:
        metrics, plots = held_out.measured(
            estimator,
            brought.held_out,
            target=brought.target,
            columns=columns,
            gives=release.output_schema,
        )
    goes_by = influences_of(estimator, columns)
    return replace(
        release,
        words=written.words,
        metrics=written.metrics | metrics,
        plots=plots | ({"influences": goes_by} if goes_by else {}),
        **written.model_words,
    )


def influences_of(estimator: Any, columns: list[str]) -> dict[str, Any]:
    try:
        return influences(estimator, columns)
    # A step of somebody's own may raise what it likes; the card does without.
    except Exception:
        logger.warning("influences_not_found", exc_info=True)
        return {}


def checked(
    rows: list[dict[str, Any]], takes: dict[str, Any], places: list[int]
) -> list[dict[str, Any]]:
    """Return the rows as the service reads them; raise NotPublishable if it would refuse one."""
    try:
        found = RowChecker(takes).check(rows)
    except ValueError as refusal:
        raise NotPublishable(str(refusal)) from refusal
    for index, errors in found.errors.items():
        raise NotPublishable(f"Row {places[index] + 1} of the sample: {errors[0].message}")
    return [dict(zip(takes["properties"], values, strict=True)) for values in found.features]
