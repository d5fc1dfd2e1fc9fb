"""Goal: the pipeline gives the bytes that the lock file names, whenever and wherever it is run."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ml_models.pipeline.configuration import BUILD, ROOT, read_json
from ml_models.releases import artifact_path, built_slugs
from tests.ml_models.builders import ensure_built


def md5_of(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def locked_md5(slug: str) -> str:
    lock = yaml.safe_load((ROOT / "dvc.lock").read_text(encoding="utf-8"))
    outputs = lock["stages"][f"train@{slug}"]["outs"]
    md5: str = next(out["md5"] for out in outputs if out["path"].endswith("model.joblib"))
    return md5


def test_what_is_built_is_what_the_lock_file_names() -> None:
    ensure_built()

    built = {slug: md5_of(artifact_path(slug)) for slug in built_slugs()}

    assert built == {slug: locked_md5(slug) for slug in built_slugs()}


def test_training_again_in_another_folder_gives_the_same_bytes(tmp_path: Path) -> None:
    ensure_built()
    copy = tmp_path / "ml_models"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns("build", "__pycache__"))
    (copy / "build").mkdir()
    shutil.copy(BUILD / "train.csv", copy / "build")

    command = [sys.executable, "-m", "ml_models.pipeline.train", "linear-regression"]
    subprocess.run(command, cwd=tmp_path, check=True)

    trained = copy / "build" / "linear-regression" / "model.joblib"
    assert md5_of(trained) == locked_md5("linear-regression")


def run(*command: str, inside: Path) -> str:
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command, cwd=inside, env=os.environ | {"PATH": tools}, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def trained_clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone with nothing in its cache, so that everything is learnt anew."""
    clone = tmp_path_factory.mktemp("clone") / "checkout"
    run("git", "clone", "--quiet", str(ROOT.parent), str(clone), inside=ROOT.parent)
    assert not (clone / ".dvc" / "cache").exists()
    assert not (clone / "ml_models" / "build").exists()
    run("dvc", "repro", "ml_models/dvc.yaml", inside=clone)
    return clone


@pytest.mark.whole
@pytest.mark.parametrize("measured", [*built_slugs(), "prepare"])
def test_a_clean_clone_is_trained_to_the_committed_metrics(
    trained_clone: Path, measured: str
) -> None:
    committed = run("git", "show", f"HEAD:ml_models/metrics/{measured}.json", inside=trained_clone)

    found = read_json(trained_clone / "ml_models" / "metrics" / f"{measured}.json")

    expected = numbers(json.loads(committed))
    assert len(expected) >= 5
    assert numbers(found) == pytest.approx(expected, rel=0.01)


@pytest.mark.whole
def test_training_a_clean_clone_leaves_nothing_that_git_or_dvc_would_call_changed(
    trained_clone: Path,
) -> None:
    assert run("dvc", "status", inside=trained_clone).strip().endswith("up to date.")
    assert run("git", "status", "--porcelain", inside=trained_clone) == ""


def numbers(metrics: dict[str, Any], prefix: str = "") -> dict[str, float]:
    """Return the figures of metrics by their names, those inside others too."""
    found: dict[str, float] = {}
    for name, value in metrics.items():
        inner = isinstance(value, dict)
        found |= numbers(value, f"{name}.") if inner else {f"{prefix}{name}": float(value)}
    return found
