"""The whole stack of docker-compose.yml on a real engine, as one command: `make compose-test`.

From what a clean clone holds: build, start by `./init.sh --docker`, buy predictions through port
80, look at every container, kill, restart, speak TLS, be scraped, stop.
"""

import argparse
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.compose import images, steps
from tests.compose.containers import compose
from tests.compose.engine import NoEngine, engine
from tests.compose.steps import Report


def main() -> int:
    options = asked()
    if port_is_taken():
        sys.exit("Something answers on port 80 of this machine already.")
    with folder(options.work) as work:
        report = Report(options.log, work)
        try:
            with engine(work) as name:
                report.say(name)
                test_the_stack(work, report)
        except NoEngine as refusal:
            report.say(f"Not run: {refusal}")
            return 1
        except BaseException as failure:
            report.say(f"failed: {str(failure)[:200]}")
            raise
        report.say("passed")
    return 0


def asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.compose", description=__doc__)
    parser.add_argument("--log", type=Path, default=Path("compose-test.log"))
    parser.add_argument("--work", type=Path, help="a folder to keep; by default one that goes")
    return parser.parse_args()


@contextmanager
def folder(kept: Path | None) -> Iterator[Path]:
    """Give a folder with a short name, for the engine's socket lies in it."""
    if kept:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="compose-", dir="/var/tmp") as made:
        yield Path(made)


def port_is_taken() -> bool:
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", 80)) == 0


def test_the_stack(work: Path, report: Report) -> None:
    checkout = prepare(work, report)
    os.environ |= {"COMPOSE_FILE": steps.FILES, "BASE": "mlservice-base", "DEMO_MODE": "true"}
    # One image after the other: the second finds most of its layers made.
    os.environ["COMPOSE_PARALLEL_LIMIT"] = "1"
    try:
        for step in steps.IN_ORDER:
            step(checkout, report)
    except BaseException:
        show_what_was_said(checkout)
        raise
    finally:
        os.environ["COMPOSE_PROFILES"] = "*"
        compose("down", "--volumes", "--remove-orphans", "--timeout", "60", cwd=checkout)


def prepare(work: Path, report: Report) -> Path:
    images.import_bases(work)
    report.say("base images made of Debian's packages")
    checkout = work / "checkout"
    shutil.rmtree(checkout, ignore_errors=True)
    images.copy_checkout(checkout)
    (work / "builder").mkdir(exist_ok=True)
    wheels = images.make_builder(work / "builder")
    images.copy_s3_server(checkout)
    report.say(f"a builder with the {wheels} wheels that the images install")
    return checkout


def show_what_was_said(checkout: Path) -> None:
    said = compose("logs", "--no-color", "--timestamps", "--tail", "40", cwd=checkout)
    sys.stderr.write(f"What the containers said last:\n{said}\n")


if __name__ == "__main__":
    sys.exit(main())
