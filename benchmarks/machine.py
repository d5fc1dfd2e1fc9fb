"""The only place that names the machine on which something was measured."""

import os
import platform
import subprocess
import timeit
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGES = ("django", "celery", "gunicorn", "scikit-learn", "numpy", "psycopg2-binary")


def machine() -> dict[str, Any]:
    """Name what the figures depend on."""
    return {
        "cores": os.cpu_count(),
        "cpu": cpu_model(),
        "memory_gb": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9, 1),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "a_million_calls_ms": a_million_calls(),
        "packages": {name: version(name) for name in PACKAGES},
        "debian": {name: debian_version(name) for name in ("postgresql", "rabbitmq-server", "wrk")},
    }


def a_million_calls() -> int:
    """Measure, in milliseconds, how fast this interpreter is: one version is built in several ways.

    Distributions and images build theirs along a profile, others build it without.
    """
    return round(min(timeit.repeat("str(1)", number=1_000_000, repeat=5)) * 1e3)


def commit() -> str:
    """Name what was measured; with changes that are not committed it is called changed."""
    command = ["git", "describe", "--always", "--abbrev=10", "--dirty=, changed"]
    try:
        done = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


def load_average() -> float:
    """Say how many processes wanted a core over the last minute: above the cores, others work."""
    return round(os.getloadavg()[0], 1)


def cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def debian_version(package: str) -> str:
    command = ["dpkg-query", "--show", "--showformat", "${Version}", package]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout or "not installed"
