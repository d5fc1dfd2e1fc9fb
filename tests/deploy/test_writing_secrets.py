"""The script that writes the secrets of docker compose: each once, and never over another one."""

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def write_secrets(folder: Path, dotenv: str = "", **told: str) -> dict[str, str]:
    """Run the script in a folder of its own, and return what each file holds."""
    if dotenv:
        (folder / ".env").write_text(dotenv)
    run_write_secrets(folder, **told)
    return {file.name: file.read_text() for file in (folder / "secrets").iterdir()}


def run_write_secrets(folder: Path, **told: str) -> "subprocess.CompletedProcess[str]":
    (folder / "scripts").mkdir(exist_ok=True)
    shutil.copy2(ROOT / "scripts" / "write_secrets.sh", folder / "scripts")
    return subprocess.run(
        [folder / "scripts" / "write_secrets.sh"],
        env={"PATH": os.environ["PATH"]} | told,
        capture_output=True,
        text=True,
        check=True,
    )


def test_secrets_are_random_once(tmp_path: Path) -> None:
    first = write_secrets(tmp_path)
    again = write_secrets(tmp_path)

    assert again == first
    filled = [value for value in first.values() if value]
    assert len(set(filled)) == len(filled) == 11
    assert min(len(value) for value in filled) >= 48


def test_what_somebody_says_is_written_down(tmp_path: Path) -> None:
    written = write_secrets(
        tmp_path,
        "STRIPE_API_KEY='a key'\nexport SECRET_KEY=of-the-file\nMETRICS_TOKEN=of-the-file\n",
        METRICS_TOKEN="of-the-environment",
    )

    assert written["stripe_api_key"] == "a key"
    assert written["secret_key"] == "of-the-file"
    assert written["metrics_token"] == "of-the-environment"


def test_an_empty_secret_is_filled_once_somebody_says_it(tmp_path: Path) -> None:
    assert write_secrets(tmp_path)["stripe_api_key"] == ""

    assert write_secrets(tmp_path, STRIPE_API_KEY="a key")["stripe_api_key"] == "a key"


def test_a_changed_secret_is_never_put_back(tmp_path: Path) -> None:
    before = "SECRET_KEY=of-before\nSTRIPE_API_KEY=of-before\n"
    write_secrets(tmp_path, before)
    for name in ("secret_key", "stripe_api_key"):
        (tmp_path / "secrets" / name).unlink()
        (tmp_path / "secrets" / name).write_text("of-after")

    written = write_secrets(tmp_path, before)

    assert written["secret_key"] == written["stripe_api_key"] == "of-after"


def test_what_is_not_taken_is_told(tmp_path: Path) -> None:
    write_secrets(tmp_path)

    said = run_write_secrets(tmp_path, METRICS_TOKEN="another").stderr

    assert "kept, for it may be newer: METRICS_TOKEN in secrets" in said
    assert "Remove a file there" in said
    assert "another" not in said
    assert run_write_secrets(tmp_path).stderr == ""


def test_nobody_else_on_the_machine_reads_the_secrets(tmp_path: Path) -> None:
    write_secrets(tmp_path)

    # The users of the containers read a file that is mounted, whoever may enter its folder.
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "secrets").iterdir()} == {0o444}
