"""Goal: machines that hold no model serve from what one `dvc push` put into S3, and train nothing.

Method: three copies of the checkout stand for three machines. One has trained and pushes; one
runs the deployment's role `models`; the third runs web, relay and a worker, with an empty store.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import pytest
import yaml
from sklearn.linear_model import LinearRegression

from mlservice.embedded.home import Home
from tests.debian.ports import free_port
from tests.e2e.environment import PLAIN, SMALL, UNHURRIED
from tests.e2e.live import CHECKOUT, LiveService, own_database
from tests.e2e.people import Person
from tests.exits import remove_in_the_end
from tests.mutants.workshop import copy_files, link
from tests.rclone import Bucket, bucket, s3_address
from tests.servers import start_valkey

__all__ = ["bucket", "s3_address"]

pytestmark = pytest.mark.whole

MODELS = ("linear-regression", "random-forest")
PREDICTIONS, PER_SECOND = 60, 10
TOOLS = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
ENDED = "SELECT count(*) FROM predictions_prediction WHERE status = %s AND id = ANY(%s::uuid[])"


def artifacts_in_the_lock() -> set[str]:
    lock = yaml.safe_load((CHECKOUT / "ml_models" / "dvc.lock").read_text())
    outputs = [out for stage in lock["stages"].values() for out in stage["outs"]]
    return {out["md5"] for out in outputs if out["path"].endswith("model.joblib")}


def run(machine: Path, *command: str, env: dict[str, str]) -> str:
    """Run a command on one of the machines; return what it said."""
    done = subprocess.run(
        command, cwd=machine, env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def service(bucket: Bucket, tmp_path: Path) -> Iterator[LiveService]:
    """A service that has tables and people and is not started; its machine holds no model."""
    # Sockets need a short path, and the broker's account must pass through.
    folder = Path(tempfile.mkdtemp(prefix="mlservice-tests-", dir="/tmp"))
    remove_in_the_end(folder)
    folder.chmod(0o711)
    broker = start_valkey(Home(folder / "state", folder / "state" / "sockets"))
    port = str(free_port())
    machine = tmp_path / "machine"
    copy_files(machine)
    with own_database(os.environ["DATABASE_URL"], purpose="empty_machine") as address:
        own = {"DATABASE_URL": address, "BROKER_URL": broker, "PORT": port, "PATH": TOOLS}
        store = {"MODEL_STORE_DIR": str(tmp_path / "store"), **bucket.environment()}
        service = LiveService(
            base_url=f"http://127.0.0.1:{port}",
            env=os.environ | PLAIN | SMALL | UNHURRIED | own | store,
            folder=tmp_path,
            checkout=machine,
        )
        service.manage("prepare_database", "--verbosity", "0")
        try:
            yield service
        finally:
            service.stop()


def push_from_the_trainer(machine: Path, env: dict[str, str]) -> None:
    copy_files(machine)
    link(machine, ".dvc/cache", "ml_models/build")
    run(machine, sys.executable, "scripts/obtain_models.py", env=env)
    run(machine, "dvc", "push", "--quiet", "--remote", "s3_mlops", "ml_models/dvc.yaml", env=env)


def publish_as_deployed(machine: Path, env: dict[str, str]) -> str:
    copy_files(machine)
    own_store = {"MODEL_STORE_DIR": str(machine / "store")}
    return run(machine, "sh", "deploy/role.sh", "models", env=env | own_store)


def publish_a_line(machine: Path, env: dict[str, str]) -> None:
    """Bring a model of one's own, on a machine that is not the workers'."""
    joblib.dump(LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0]), machine / "line.joblib")
    (machine / "line.csv").write_text("value\n0.5\n1.5\n")
    files = ("--artifact", "line.joblib", "--sample", "line.csv")
    publish = (sys.executable, "manage.py", "publish_model", *files)
    own_store = {"MODEL_STORE_DIR": str(machine / "store")}
    run(machine, *publish, "--slug", "line", "--title", "Line", env=env | own_store)


def start(service: LiveService) -> None:
    service.spawn("web")
    service.spawn("relay")
    service.start_worker()
    service.wait_until(service.is_ready, "the web process is ready")


def predict_steadily(person: Person, models: list[Any], count: int) -> list[str]:
    ids = []
    for turn in range(count):
        ids.append(person.predict(models[turn % len(models)]))
        time.sleep(1 / PER_SECOND)
    return ids


def wait_for_success(service: LiveService, ids: list[str]) -> None:
    service.wait_until(
        lambda: service.query(ENDED, ["succeeded", ids]) == [(len(ids),)], "all have succeeded"
    )


def test_workers_serve_from_s3_alone_and_lose_their_cache_unnoticed(
    service: LiveService, tmp_path: Path
) -> None:
    store = Path(service.env["MODEL_STORE_DIR"])
    push_from_the_trainer(tmp_path / "trainer", service.env)
    said = publish_as_deployed(tmp_path / "publisher", service.env)
    assert said.count(" published, ") == len(MODELS)
    assert "train" not in said.lower()
    assert not store.exists()

    start(service)
    person = Person(service.base_url, credits=1_000_000)
    models = [person.get(f"models/{slug}") for slug in MODELS]
    ids = predict_steadily(person, models, len(MODELS))
    wait_for_success(service, ids)
    copies = {str(path.relative_to(store)) for path in store.rglob("*") if path.is_file()}

    ids += predict_steadily(person, models, PREDICTIONS // 2)
    shutil.rmtree(store)
    ids += predict_steadily(person, models, PREDICTIONS // 2)
    # Nobody has loaded this one: a worker's child fetches it in the middle of a task.
    publish_a_line(tmp_path / "publisher", service.env)
    ids.append(person.predict(person.get("models/line")))
    wait_for_success(service, ids)
    # One more node, which finds nothing here and fetches for itself.
    service.start_worker("second")
    service.end("worker")
    ids += predict_steadily(person, models, PREDICTIONS // 2)
    wait_for_success(service, ids)

    assert copies == {f"fetched/{md5}" for md5 in artifacts_in_the_lock()}
    assert {path.name for path in (store / "fetched").iterdir()} > artifacts_in_the_lock()
    assert not (service.checkout / "ml_models" / "build").exists()
    assert not (service.checkout / ".dvc" / "cache").exists()
    assert "clean" in service.manage("audit_ledger").stdout
