"""The only place that brings the trained models here: what stands, else the remote, else training.

Run it from the checkout: `python scripts/obtain_models.py`.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import environ
import yaml
from configobj import ConfigObj  # type: ignore[import-untyped]

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT))

from deploy.secret_files import read_secret_files  # noqa: E402

PIPELINE = CHECKOUT / "ml_models" / "dvc.yaml"
LOCK = CHECKOUT / "ml_models" / "dvc.lock"
CACHE = CHECKOUT / ".dvc" / "cache" / "files" / "md5"
LOCAL_CONFIG = CHECKOUT / ".dvc" / "config.local"
REMOTE = "s3_mlops"
PULL_SECONDS = 60


def main() -> None:
    environ.Env.read_env(CHECKOUT / ".env")
    read_secret_files()
    # Also for what DVC is asked by hand later.
    configure()
    if models_stand():
        return
    if not (has_remote() and pull()):
        train()


def models_stand() -> bool:
    """Say whether everything the lock names lies in place; it looks, and reads no content."""
    outputs = list(locked_outputs())
    return bool(outputs) and all(stands(output) for output in outputs)


def locked_outputs() -> Iterator[dict[str, Any]]:
    lock = yaml.safe_load(LOCK.read_text()) if LOCK.exists() else {}
    for stage in lock.get("stages", {}).values():
        yield from stage.get("outs", [])


def stands(output: dict[str, Any]) -> bool:
    places = [CHECKOUT / output["path"]]
    # Small measurements are kept by git instead of the cache.
    if "/build/" in output["path"]:
        places.append(CACHE / output["md5"][:2] / output["md5"][2:])
    return all(place.is_file() and place.stat().st_size == output["size"] for place in places)


def configure() -> None:
    """Write what only this machine knows to DVC's ignored configuration."""
    config = ConfigObj(str(LOCAL_CONFIG))
    if not (CHECKOUT / ".git").exists():
        config.setdefault("core", {})["no_scm"] = "true"
    if os.environ.get("S3_BUCKET"):
        config.setdefault("core", {})["remote"] = REMOTE
        config[f'remote "{REMOTE}"'] = remote_options()
    if config:
        LOCAL_CONFIG.touch(mode=0o600)
        LOCAL_CONFIG.chmod(0o600)
        config.write()


def remote_options() -> dict[str, str]:
    options = {
        "url": f"s3://{os.environ['S3_BUCKET']}",
        "endpointurl": os.environ.get("S3_ENDPOINT_URL", ""),
        "access_key_id": os.environ.get("AWS_ACCESS_KEY_ID", ""),
        "secret_access_key": os.environ.get("AWS_SECRET_ACCESS_KEY", ""),
        # Without it DVC takes a damaged object for a good one.
        "verify": "true",
    }
    return {name: value for name, value in options.items() if value}


def has_remote() -> bool:
    return LOCAL_CONFIG.exists() and REMOTE in LOCAL_CONFIG.read_text()


def pull() -> bool:
    """Fetch the models from the remote; say whether that worked within its budget."""
    try:
        done = dvc("pull", "--remote", REMOTE, str(PIPELINE), timeout=PULL_SECONDS)
    except subprocess.TimeoutExpired:
        done = 1
    if done != 0:
        say("The remote did not give the models; training them here instead.")
    return done == 0 and models_stand()


def train() -> None:
    say("Training the models, about half a minute…")
    if dvc("repro", str(PIPELINE)) != 0:
        sys.exit("Training failed; what DVC says stands above. Mend it, then start again.")


def dvc(*arguments: str, timeout: float | None = None) -> int:
    # The stages call `python`, and mean the one that has the packages.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "dvc", *arguments, "--quiet"],
        cwd=CHECKOUT,
        env=os.environ | {"PATH": path},
        timeout=timeout,
        check=False,
    )
    return done.returncode


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
