"""Processes count in files of one folder: what ends is added up once and leaves no file."""

import fcntl
import os
import re
import signal
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from prometheus_client import generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from pytest_django import Settings

from billing import counting as money
from billing.models import LedgerEntry
from deploy.counting_folder import alone_at
from mlservice.lib.metrics import exposing
from mlservice.lib.metrics.counting import Counts, fold_the_ended

ROOT = Path(__file__).resolve().parents[2]
# A process that counts three, has one under way, and ends.
COUNTS = """
from prometheus_client import Counter, Gauge, Histogram
Counter("did", "").inc(3)
Histogram("took", "", buckets=(1, 2)).observe(1.5)
Gauge("busy", "", multiprocess_mode="livesum").inc()
"""


SAY_FOLDER = (
    "import os; from mlservice.lib.metrics.counting import FOLDER; print(os.environ[FOLDER])"
)


def count_elsewhere(folder: Path) -> None:
    own = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(folder)}
    subprocess.run([sys.executable, "-c", COUNTS], env=own, check=True)


def sums(folder: Path) -> dict[str, float]:
    files = [str(file) for file in folder.glob("*.db")]
    merged = MultiProcessCollector.merge(files)
    return {
        sample.name + sample.labels.get("le", ""): sample.value
        for metric in merged
        for sample in metric.samples
    }


def test_what_ended_stays_counted_in_one_file_a_kind(tmp_path: Path) -> None:
    for _ in range(3):
        count_elsewhere(tmp_path)
        fold_the_ended(tmp_path)
        fold_the_ended(tmp_path)

    assert sorted(file.name for file in tmp_path.iterdir()) == ["counter_0.db", "histogram_0.db"]
    found = sums(tmp_path)
    assert (found["did_total"], found["took_count"], found["took_sum"]) == (9, 3, 4.5)
    assert (found["took_bucket1.0"], found["took_bucket2.0"]) == (0, 3)
    assert "busy" not in found


def test_files_of_the_living_are_left_to_them(tmp_path: Path) -> None:
    count_elsewhere(tmp_path)
    [made] = tmp_path.glob("counter_*.db")
    mine = made.rename(tmp_path / f"counter_{os.getpid()}.db")

    fold_the_ended(tmp_path)

    assert mine.exists()


def moved(kind: str, direction: str) -> float:
    shown = generate_latest(exposing.registry_of(Counts())).decode()
    name = f'mlservice_ledger_credits_total{{direction="{direction}",kind="{kind}"}} '
    found = [line.removeprefix(name) for line in shown.splitlines() if line.startswith(name)]
    return float(found[0]) if found else 0.0


def test_a_child_that_is_forked_during_a_scrape_does_not_stop_the_next(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with alone_at(os.open(path, os.O_RDWR | os.O_CREAT)):
        child = os.fork()
        if child == 0:
            signal.pause()
    try:
        with path.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


@pytest.mark.django_db
def test_money_is_counted_once_it_is_committed(django_capture_on_commit_callbacks) -> None:
    before = moved("grant", "in"), moved("correction", "out")
    with django_capture_on_commit_callbacks(execute=False) as waiting:
        money.moved("grant", 5)
        money.moved("correction", -3)

    assert (moved("grant", "in"), moved("correction", "out")) == before
    for tell in waiting:
        tell()
    assert (moved("grant", "in"), moved("correction", "out")) == (before[0] + 5, before[1] + 3)


def test_every_kind_of_entry_is_shown_before_the_first_of_it() -> None:
    """Prometheus sees no rise of a count that begins with the first correction."""
    code = "from billing import counting; from prometheus_client import generate_latest;"
    code += "print(generate_latest(counting.COUNTED).decode())"
    own = {name: value for name, value in os.environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"}

    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "-c", code],
        env=own | {"METRICS_TOKEN": ""},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    ways = [(kind, way) for kind, way in product(LedgerEntry.Kind, ("in", "out"))]
    never = {("top_up", "out"), ("grant", "out"), ("refund", "out"), ("capture", "in")}
    shown = set(
        re.findall(r"^(mlservice_ledger_\w+_total)\{(.*)\} 0\.0$", done.stdout, re.MULTILINE)
    )
    assert shown == {
        (f"mlservice_ledger_{what}_total", f'direction="{way}",kind="{kind}"')
        for what in ("entries", "credits")
        for kind, way in ways
        if (kind, way) not in never
    }


@pytest.mark.django_db
def test_captures_are_counted_apart_from_releases(django_capture_on_commit_callbacks) -> None:
    before = moved("capture", "out")

    with django_capture_on_commit_callbacks(execute=True):
        money.resolved([5, 0, 2])

    assert moved("capture", "out") == before + 7


@pytest.mark.django_db
def test_requests_are_counted_by_route_and_never_by_address(client: Client) -> None:
    for path in ("/models/nothing-here", "/models/nor-here", "/no-such/path"):
        client.get(path)
    client.generic("BREW", "/livez")

    shown = generate_latest(exposing.registry_of(Counts())).decode()

    assert 'method="GET",route="model",status="4xx"' in shown
    assert 'method="GET",route="none",status="4xx"' in shown
    assert 'method="other",route="livez",status="4xx"' in shown
    assert "nothing-here" not in shown
    assert "BREW" not in shown


def test_without_a_token_no_port_is_opened(settings: Settings) -> None:
    settings.METRICS_PORT, settings.METRICS_TOKEN = 9_100, ""

    assert exposing.answer(exposing.registry_of(), "Bearer ")[0] == 404


def test_a_folder_is_gone_with_the_process_that_made_it() -> None:
    code = f"import django; django.setup(); {SAY_FOLDER}"
    own = {name: value for name, value in os.environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"}
    own |= {"DJANGO_SETTINGS_MODULE": "mlservice.settings", "METRICS_TOKEN": "a token"}
    own |= {"SECRET_KEY": settings.SECRET_KEY, "JWT_SIGNING_KEY": settings.JWT_SIGNING_KEY}

    done = subprocess.run(
        [sys.executable, "-c", code], env=own, cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert not Path(done.stdout.strip()).exists()
