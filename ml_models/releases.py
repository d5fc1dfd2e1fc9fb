"""The only place that reads what the pipeline built and makes it a release."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ml_models.errors import ReleaseNotBuilt
from ml_models.formats import JOBLIB
from ml_models.models import Artifact, ModelVersion
from ml_models.pipeline.configuration import BUILD, METRICS, read_json, read_params

# What a card says: of a model's use, and of the data it learnt from.
USE_WORDS = ("intended_use", "not_for")
DATA_WORDS = ("data", "origin", "licence")


@dataclass(frozen=True, kw_only=True)
class Release:
    """A trained model with all that is said about it, ready to be published."""

    slug: str
    title: str
    description: str
    price: int
    artifact: Artifact
    input_schema: dict[str, Any]
    output_schema: dict[str, Any]
    example: dict[str, Any]
    metrics: dict[str, Any]
    input_kind: str = "objects"
    explain_multiplier: int = 2
    golden_rows: list[dict[str, Any]] = field(default_factory=list)
    title_ru: str = ""
    description_ru: str = ""
    words: dict[str, Any] = field(default_factory=dict)
    plots: dict[str, Any] = field(default_factory=dict)


# What says how an estimator is asked, and what it must answer: before it is published, and after.
Described = Release | ModelVersion


def built_slugs() -> list[str]:
    """Return the slugs of all models that the pipeline trains."""
    return list(read_params()["models"])


def artifact_path(slug: str) -> Path:
    return BUILD / slug / "model.joblib"


def read_release(slug: str) -> Release:
    """Return the release that the pipeline built; raise ReleaseNotBuilt if there is none."""
    try:
        said = read_params()["models"][slug]
        card = read_json(BUILD / slug / "card.json")
        artifact = describe_artifact(artifact_path(slug).read_bytes(), card["sklearn_version"])
        metrics = read_json(METRICS / f"{slug}.json")
        plots = read_json(BUILD / slug / "plots.json")
        words = card_words(slug)
    except (KeyError, FileNotFoundError) as missing:
        raise ReleaseNotBuilt(f"There is no built model {slug!r}: run the pipeline.") from missing
    return Release(
        slug=slug,
        title=said["title"],
        title_ru=said.get("title_ru", ""),
        description=said["description"],
        description_ru=said.get("description_ru", ""),
        price=said["price"],
        explain_multiplier=said["explain_multiplier"],
        artifact=artifact,
        input_schema=card["input_schema"],
        output_schema=card["output_schema"],
        example=card["example"],
        golden_rows=card["golden_rows"],
        metrics=metrics,
        words=words,
        plots=plots,
    )


def card_words(slug: str) -> dict[str, Any]:
    """Return what the card says of use and data, with the figures that the pipeline counted."""
    params, counted = read_params(), read_json(METRICS / "prepare.json")
    said, data = params["models"][slug], params["data"]
    cleaning = [data["cleaning"][rule] | {"rows": n} for rule, n in counted["dropped"].items()]
    figures = {
        "rows": counted["rows"],
        "training_rows": counted["training"],
        "test_rows": counted["test"],
    }
    return pick(said, USE_WORDS) | pick(data, DATA_WORDS) | figures | {"cleaning": cleaning}


def pick(said: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Return those of the words that are said, in English and in Russian."""
    return {name: said[name] for name in in_both_languages(names) if name in said}


def in_both_languages(names: tuple[str, ...]) -> list[str]:
    return [spelt for name in names for spelt in (name, f"{name}_ru")]


def describe_artifact(content: bytes, sklearn_version: str, format: str = JOBLIB) -> Artifact:
    return Artifact(
        md5=hashlib.md5(content, usedforsecurity=False).hexdigest(),
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        sklearn_version=sklearn_version,
        format=format,
    )
