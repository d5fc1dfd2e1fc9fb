"""Goal: the pipeline gives the bytes that the lock file names, whenever it is run."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from ml_models.pipeline.configuration import BUILD, ROOT
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
