"""The three commands of docs/models.md, run as they are printed on a service that runs."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.e2e.live import CHECKOUT, LiveService
from tests.test_worked_example import blocks, commands

ARTIFACTS = "SELECT artifact_md5 FROM ml_models_modelversion WHERE artifact_format = 'skops'"


@pytest.fixture
def service(
    live_service: LiveService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LiveService]:
    """Take the script out of the document; in the end take the artifact out of the store."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "iris").mkdir()
    (tmp_path / "iris" / "train.py").write_text(blocks("python")[0])
    yield live_service
    for (md5,) in live_service.query(ARTIFACTS):
        stored = CHECKOUT / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]
        stored.unlink(missing_ok=True)


def token_of_a_client_with_credits(base_url: str) -> str:
    api = f"{base_url}/api/v1"
    who = {"username": "iris-lover", "password": "a-long-and-private-phrase"}
    requests.post(
        f"{api}/auth/register", json=who | {"email": "iris@example.com"}, timeout=10
    ).raise_for_status()
    token: str = requests.post(f"{api}/auth/token", json=who, timeout=10).json()["access"]
    paid = requests.post(
        f"{api}/wallet/top-ups",
        json={"amount": 10},
        headers={"Authorization": f"Bearer {token}"},
        timeout=10,
    )
    paid.raise_for_status()
    return token


@pytest.mark.whole
def test_a_fitted_estimator_becomes_a_paid_prediction(service: LiveService) -> None:
    token = token_of_a_client_with_credits(service.base_url)
    train, publish, ask = commands()

    subprocess.run([sys.executable, *train[1:]], check=True)
    service.manage(*publish[2:])
    words = [
        word.replace("http://127.0.0.1:8000", service.base_url).replace("$TOKEN", token)
        for word in ask
    ]
    said = subprocess.run(words, check=True, capture_output=True, env=os.environ, timeout=30)

    prediction = json.loads(said.stdout)
    (row,) = prediction["output"]
    assert (prediction["status"], prediction["cost"]) == ("succeeded", 2)
    assert row["prediction"] == "virginica"
    assert sum(row["probabilities"].values()) == pytest.approx(1.0)
