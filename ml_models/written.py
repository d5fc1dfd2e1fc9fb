"""The only place that reads a card that somebody wrote for a model of their own."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ml_models.errors import NotPublishable
from ml_models.releases import DATA_WORDS, USE_WORDS, in_both_languages, pick

FIGURES = ("rows", "training_rows", "test_rows")
# The model's own words, which the command takes in English alone.
RUSSIAN_WORDS = ("title_ru", "description_ru")
MOST_CHARACTERS = 2_000
MOST_METRICS = 30
LARGEST = 1e15
MOST_CHARACTERS_OF_A_NAME = 60


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a card says: of use and data, of metrics, and the model's words in Russian."""

    words: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    model_words: dict[str, Any] = field(default_factory=dict)


def read_card(path: Path) -> Written:
    """Return what a YAML or JSON file says; raise NotPublishable for what no card says."""
    said = read_document(path)
    metrics = said.pop("metrics", {})
    refuse_odd_metrics(metrics)
    for name, value in said.items():
        refuse_odd_value(name, value)
    words = pick(said, (*USE_WORDS, *DATA_WORDS))
    figures = {name: said[name] for name in FIGURES if name in said}
    return Written(
        words=words | figures,
        metrics=metrics,
        model_words={name: said[name] for name in RUSSIAN_WORDS if name in said},
    )


def read_document(path: Path) -> dict[str, Any]:
    try:
        # JSON is YAML too.
        said = yaml.safe_load(path.read_text(encoding="utf-8"))
    # Text that is no UTF-8 is a ValueError.
    except (OSError, ValueError, yaml.YAMLError) as failure:
        raise NotPublishable(f"The card cannot be read: {failure}") from failure
    if not isinstance(said, dict):
        raise NotPublishable("The card must be a mapping of names to what they say.")
    return said


def refuse_odd_value(name: Any, value: Any) -> None:
    if name in FIGURES:
        if not (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
            raise NotPublishable(f"The card's {name} must be a whole number, not {value!r}.")
        return
    known = [*in_both_languages((*USE_WORDS, *DATA_WORDS)), *RUSSIAN_WORDS]
    if name not in known:
        may = ", ".join([*known, *FIGURES, "metrics"])
        raise NotPublishable(f"The card says {name!r}, which it does not have. It has: {may}.")
    if not isinstance(value, str) or not 1 <= len(value) <= MOST_CHARACTERS:
        raise NotPublishable(f"The card's {name} must be a text of 1 to {MOST_CHARACTERS} letters.")


def refuse_odd_metrics(metrics: Any) -> None:
    if not isinstance(metrics, dict) or len(metrics) > MOST_METRICS:
        raise NotPublishable(f"The card's metrics must be up to {MOST_METRICS} names with numbers.")
    for name, value in metrics.items():
        if not isinstance(name, str) or not 1 <= len(name) <= MOST_CHARACTERS_OF_A_NAME:
            raise NotPublishable(
                f"The card's metric {name!r} must be named by 1 to {MOST_CHARACTERS_OF_A_NAME} "
                "letters."
            )
        if not is_figure(value):
            raise NotPublishable(f"The card's metric {name!r} must be a number, not {value!r}.")


def is_figure(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= LARGEST and not math.isnan(value)
