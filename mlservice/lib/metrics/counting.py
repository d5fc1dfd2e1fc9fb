"""The only place that keeps counts: in files of one folder, so that forked processes add up.

Each process of a role writes files of its own there (Prometheus' client maps them into memory);
whoever is asked answers for all. What a process that ended had counted stays counted.
"""

import atexit
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from django.conf import settings
from prometheus_client import CollectorRegistry, Metric, values
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from deploy.counting_folder import alone_at, make_folder, parent

# The client's own word for it. gunicorn's main process sets it, for it forks before it loads us.
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
# No process has this id: its files hold what those that ended had counted.
ENDED = "0"


def own_folder() -> str:
    """Make a folder that this process, and whoever it forks, counts in until it ends."""
    folder = make_folder(parent())
    atexit.register(_remove, folder, os.getpid())
    return folder


def _remove(folder: str, made_by: int) -> None:
    if os.getpid() == made_by:
        shutil.rmtree(folder, ignore_errors=True)


def _share() -> None:
    """Have what is counted from now on be counted for all; without a token nobody asks.

    A process then counts for itself alone, which costs it no file.
    """
    if not settings.METRICS_TOKEN:
        os.environ.pop(FOLDER, None)
        values.ValueClass = values.MutexValue
        return
    if FOLDER not in os.environ:
        os.environ[FOLDER] = own_folder()
    values.ValueClass = values.MultiProcessValue()


_share()
# Where all that is counted is defined under; it is read from the folder.
COUNTED = CollectorRegistry()


class Counts(Collector):
    """What all processes of this role have counted."""

    def collect(self) -> Iterable[Metric]:
        if FOLDER not in os.environ:
            return list(COUNTED.collect())
        folder = Path(os.environ[FOLDER])
        # Two who are asked at once must not add up twice what has ended.
        with alone_at(os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)):
            fold_the_ended(folder)
            files = [str(file) for file in folder.glob("*.db")]
            return list(MultiProcessCollector.merge(files))

    def describe(self) -> list[Metric]:
        """Promise nothing at start: the names are in the files."""
        return []


def fold_the_ended(folder: Path) -> None:
    """Add the counts of processes that are gone to those of all that are, and forget the rest.

    Children come and go all day; without this, each would leave its files behind.
    """
    for file in folder.glob("*.db"):
        kind, _, process_id = file.stem.rpartition("_")
        if process_id == ENDED or Path(f"/proc/{process_id}").exists():
            continue
        # How much memory or how many requests a process had under way ended with it.
        if not kind.startswith("gauge"):
            _add(file, folder / f"{kind}_{ENDED}.db")
        file.unlink()


def _add(file: Path, total: Path) -> None:
    sums = MmapedDict(str(total))
    try:
        for key, value, _, _ in MmapedDict.read_all_values_from_file(str(file)):
            sums.write_value(key, sums.read_value(key)[0] + value, 0.0)
    finally:
        sums.close()
