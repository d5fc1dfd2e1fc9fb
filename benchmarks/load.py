"""The only place that puts load on an address: wrk, with requests made beforehand."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("wrk.lua")
# More of these would take the cores from what is measured.
THREADS = 2
TIMEOUT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Measured:
    """What one run of the load saw; times in milliseconds, from sending to the last byte."""

    answered: int
    otherwise: int
    broken: int
    late: int
    seconds: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float
    # Of the first answers that were not expected, and of some of all: the status and the body.
    samples: tuple[tuple[int, str], ...] = ()

    @property
    def per_second(self) -> float:
        return self.answered / self.seconds


class Silent(RuntimeError):
    """Nothing was answered as long as the load lasted."""


def is_installed() -> bool:
    return shutil.which("wrk") is not None


def drive(
    address: str,
    requests: Sequence[str],
    *,
    connections: int,
    seconds: float,
    expected: int = 200,
    tolerated: int = 0,
    pause_ms: float = 0,
) -> Measured:
    """Send these requests over and over; every connection waits for its answer before the next.

    pause_ms: what a connection waits on average between an answer and its next request.
    Raise AssertionError if a connection broke, or an answer was neither as expected nor tolerated,
    and Silent if there was none.
    """
    with tempfile.TemporaryDirectory(prefix="mlservice-load-") as made:
        folder = Path(made)
        (folder / "requests.lua").write_text(as_lua(requests))
        command = [
            *("wrk", "--latency", "--timeout", f"{TIMEOUT_SECONDS}s", "--script", str(SCRIPT)),
            *("--threads", str(min(THREADS, connections)), "--connections", str(connections)),
            *("--duration", f"{max(1, round(seconds))}s", address, "--"),
            *(str(folder / "requests.lua"), str(expected), str(pause_ms), str(folder / "sample")),
        ]
        done = subprocess.run(
            command,
            env=os.environ | {"PAUSED": "1" if pause_ms else "0"},
            capture_output=True,
            text=True,
            timeout=seconds + TIMEOUT_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        measured = read(done.stdout, sorted(folder.glob("sample.*")))
    strange = [sample for sample in measured.samples if sample[0] not in (expected, tolerated)]
    failures = measured.broken + measured.late + (0 if tolerated else measured.otherwise)
    assert failures == 0, f"{done.stdout}\n{strange[:3]}"
    assert strange == [], done.stdout
    if not measured.answered:
        raise Silent(f"No answer in {measured.seconds:.0f} s at {connections} connections.")
    return measured


def as_lua(requests: Sequence[str]) -> str:
    """Write the requests as a Lua table: of ASCII, JSON's strings are Lua's strings."""
    return "return {" + ",\n".join(json.dumps(one) for one in requests) + "}\n"


def read(output: str, samples: Sequence[Path]) -> Measured:
    [line] = [line for line in output.splitlines() if line.startswith("MEASURED ")]
    lines = (line for sample in samples for line in sample.read_text().splitlines())
    pairs = (line.partition(" ") for line in lines)
    return Measured(
        **json.loads(line.removeprefix("MEASURED ")),
        samples=tuple((int(status), body) for status, _, body in pairs),
    )


def http_request(path: str, body: object, **headers: str) -> str:
    """Spell out a POST of a JSON body."""
    content = json.dumps(body)
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", content])
