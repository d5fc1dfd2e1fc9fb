"""Publish the test's own models into a running service: `python -m tests.faults.publishing DIARY`.

`marked` misbehaves on marks; each of `BROKEN` has its artifact spoilt as soon as it is published.
"""

import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path

import django
import sklearn

SCHEMA = {
    "type": "object",
    "properties": {"value": {"type": "number"}},
    "required": ["value"],
    "additionalProperties": False,
}


class Canary:
    """A pickle that leaves a file behind wherever it is opened."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.mkdir, (str(self.path),)


def canary_path(diary: Path) -> Path:
    return diary.with_name("canary")


def flip_a_bit(path: Path, diary: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def truncate(path: Path, diary: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def remove(path: Path, diary: Path) -> None:
    path.unlink()


def plant_canary(path: Path, diary: Path) -> None:
    """Put a malicious pickle of the published size where the artifact lay."""
    payload = pickle.dumps(Canary(canary_path(diary)))
    path.write_bytes(payload + b"\0" * (path.stat().st_size - len(payload)))


def leave(path: Path, diary: Path) -> None:
    """Spoil nothing: the version says another scikit-learn."""


BROKEN = {
    "corrupt": flip_a_bit,
    "truncated": truncate,
    "missing": remove,
    "malicious": plant_canary,
    "foreign": leave,
}


def publish_all(diary: Path) -> None:
    # Models can be imported once Django is set up.
    from ml_models.artifacts import stored_path
    from tests.faults.estimators import Marked
    from tests.ml_models.builders import dumped

    publish("marked", dumped(Marked(str(diary))), sklearn.__version__)
    for slug, spoil in BROKEN.items():
        # Each has bytes of its own, and so a file of its own.
        content = dumped(Marked(f"{diary}-{slug}"))
        made_by = "0.0.1" if slug == "foreign" else sklearn.__version__
        path = stored_path(publish(slug, content, made_by))
        path.chmod(0o644)
        spoil(path, diary)


def publish(slug: str, content: bytes, sklearn_version: str) -> str:
    """Publish a model with these bytes and return the address they have in the store."""
    from tests.ml_models.builders import make_artifact, make_foreign_version

    artifact = make_artifact(content, sklearn_version=sklearn_version)
    # One of them is of another scikit-learn, which this installation would refuse.
    make_foreign_version(
        slug=slug,
        title=slug.title(),
        artifact=artifact,
        input_schema=SCHEMA,
        example={"value": 1.0},
        price=2,
    )
    return artifact.md5


if __name__ == "__main__":
    django.setup()
    publish_all(Path(sys.argv[1]))
