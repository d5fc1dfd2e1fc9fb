"""The only place that makes what an image registry and a package index would give to a build."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SUITE = "bookworm"
BASES = {
    # What python:3.11-slim-bookworm has and the service needs.
    "mlservice-base": "python3-minimal,python3-venv,libpq5,ca-certificates",
    "mlservice-test-servers-base": (
        "postgresql,rabbitmq-server,nginx-light,prometheus,wget,ca-certificates"
    ),
}


def copy_checkout(folder: Path) -> None:
    """Copy what a clean clone of this tree holds: every file that git does not ignore."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, names.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)


def import_bases(work: Path) -> None:
    """Make the images to build on from Debian's packages, unless the engine has them."""
    for name, packages in BASES.items():
        if not has_image(name):
            archive = work / f"{name}.tar"
            if not archive.exists():
                make_base(archive, packages)
            run("docker", "import", archive, name)


def make_base(archive: Path, packages: str) -> None:
    part = archive.with_suffix(".part.tar")
    command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={packages}"]
    run(*command, SUITE, part)
    part.rename(archive)


def make_builder(folder: Path) -> int:
    """Put what the two images install on the base as wheels; return how many they are.

    The machine's Python must be the image's.
    """
    if sys.version_info[:2] != (3, 11):
        sys.exit("The wheels of the image need Python 3.11 here; start with that one.")
    asked: list[str | Path] = [
        "-r",
        ROOT / "requirements.txt",
        "-c",
        ROOT / "requirements-local.txt",
        "dvc[s3]",
    ]
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--wheel-dir", folder / "wheels", *asked)
    (folder / "Dockerfile").write_text("FROM mlservice-base\nCOPY wheels /wheels\n")
    run("docker", "build", "--tag", "mlservice-test-builder", folder)
    return len(list((folder / "wheels").iterdir()))


def copy_s3_server(checkout: Path) -> None:
    shutil.copy2(Path(sys.executable).with_name("rclone"), checkout / "tests/compose/servers")


def has_image(name: str) -> bool:
    return not subprocess.run(["docker", "image", "inspect", name], capture_output=True).returncode


def sizes() -> dict[str, int]:
    """Return the size of each image of ours in bytes, what it is built on included."""
    names = ["mlservice-base:latest", "mlservice:local", "mlservice-models:local"]
    words = ["docker", "image", "inspect", "--format", "{{.Size}}"]
    return {
        name: int(subprocess.run([*words, name], capture_output=True, check=True).stdout)
        for name in names
    }


def run(*command: str | Path, cwd: Path | None = None) -> None:
    done = subprocess.run(
        command,
        cwd=cwd,
        env=os.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        sys.exit(f"{command[0]} failed:\n{done.stdout[-4000:]}")
