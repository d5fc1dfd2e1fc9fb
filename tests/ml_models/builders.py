"""Models for tests: a toy that is trained in a moment, and the real ones from the pipeline."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

import joblib
import numpy as np
import sklearn
from sklearn.linear_model import LinearRegression, LogisticRegression

from ml_models import artifacts
from ml_models.models import Artifact, ModelVersion
from ml_models.pipeline.configuration import ROOT
from ml_models.releases import (
    Release,
    artifact_path,
    built_slugs,
    describe_artifact,
    read_release,
)
from ml_models.services import publish_version

TOY_SCHEMA = {
    "type": "object",
    "properties": {"width": {"type": "number"}, "age": {"type": "number"}},
    "required": ["width", "age"],
    "additionalProperties": False,
}


def make_estimator(*, slope: float = 2.0) -> LinearRegression:
    """Return a line that gives `slope × width + age`."""
    rows = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [2.0, 3.0]]
    return LinearRegression().fit(rows, [slope * width + age for width, age in rows])


def dumped(estimator: Any) -> bytes:
    content = BytesIO()
    joblib.dump(estimator, content)
    return content.getvalue()


def make_artifact(
    content: bytes | None = None,
    *,
    sklearn_version: str = sklearn.__version__,
    format: str = "joblib",
) -> Artifact:
    """Put the bytes, a toy's if none are given, into the store; return what they are known by."""
    content = dumped(make_estimator()) if content is None else content
    artifact = describe_artifact(content, sklearn_version, format)
    artifacts.keep(content, artifacts.stored_path(artifact.md5))
    return artifact


def make_release(**changes: Any) -> Release:
    facts: dict[str, Any] = {
        "slug": "toy",
        "title": "Toy",
        "title_ru": "Игрушка",
        "description": "A line",
        "price": 3,
        "input_schema": TOY_SCHEMA,
        "output_schema": {"type": "number", "title": "Length", "x-unit": "m"},
        "example": {"width": 1.5, "age": 2},
        "metrics": {"r2": 1.0, "mae": 0.0},
    }
    facts |= changes
    if "artifact" not in facts:
        facts["artifact"] = make_artifact()
    return Release(**facts)


def make_version(**changes: Any) -> ModelVersion:
    return publish_version(release=make_release(**changes))[0]


def make_foreign_version(**changes: Any) -> ModelVersion:
    """Publish as another installation could that loads what this one cannot."""
    with patch("ml_models.services.tried", side_effect=lambda release: release):
        return make_version(**changes)


def make_real_version(slug: str) -> ModelVersion:
    """Publish what the pipeline built, with its artifact in the store."""
    ensure_built()
    release = read_release(slug)
    stored = artifacts.stored_path(release.artifact.md5)
    if not stored.is_file():
        artifacts.keep(artifact_path(slug).read_bytes(), stored)
    return publish_version(release=release)[0]


def ensure_built() -> None:
    """Run the pipeline where it was not yet run, once for all test processes."""
    with (ROOT / "dvc.yaml").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not all(is_built(slug) for slug in built_slugs()):
            run_pipeline()


def is_built(slug: str) -> bool:
    """Say whether the artifact lies there, and what is measured last of all."""
    return artifact_path(slug).is_file() and artifact_path(slug).with_name("plots.json").is_file()


def run_pipeline() -> None:
    tools = Path(sys.executable).parent
    environment = os.environ | {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    command = [str(tools / "dvc"), "repro", "ml_models/dvc.yaml"]
    subprocess.run(command, cwd=ROOT.parent, env=environment, check=True)


def make_classifier(labels: Sequence[Any] = ("long", "short")) -> LogisticRegression:
    """Return a classifier that tells wide rows, the first label, from narrow ones."""
    rows = [[4.0, 0.0], [5.0, 1.0], [0.0, 1.0], [1.0, 0.0]]
    return LogisticRegression().fit(rows, np.array([labels[0]] * 2 + [labels[1]] * 2))


def make_classifier_version(
    labels: Sequence[Any] = ("long", "short"), *, type: str = "string", **changes: Any
) -> ModelVersion:
    """Publish a classifier; its labels stand in the order in which scikit-learn sorts them."""
    classifier = make_classifier(labels)
    schema = {
        "type": type,
        "title": "Kind",
        "enum": classifier.classes_.tolist(),
        "x-probabilities": [str(label) for label in classifier.classes_.tolist()],
    }
    facts = {"output_schema": schema, "artifact": make_artifact(dumped(classifier))}
    return make_version(**facts | changes)
