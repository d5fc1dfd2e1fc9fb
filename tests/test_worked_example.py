"""The worked example of docs/models.md, done as it stands: train, publish, predict, be charged."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import User
from billing.services import wallet_of
from ml_models import inference
from ml_models.models import ModelVersion
from ml_models.selectors import version_by_id
from predictions.runner import run

DOCUMENT = (Path(__file__).resolve().parent.parent / "docs" / "models.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT, flags=re.MULTILINE | re.DOTALL)


def commands() -> list[list[str]]:
    """Return the words of each command, with the home folder in its place."""
    (script,) = blocks("bash")
    lines = script.replace("\\\n", " ").strip().splitlines()
    return [[os.path.expanduser(word) for word in shlex.split(line)] for line in lines if line]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Iterator[Path]:
    settings.MODEL_STORE_DIR = str(tmp_path / "store")
    settings.MODEL_REMOTE_BUCKET = ""
    monkeypatch.setenv("HOME", str(tmp_path))
    inference.unload()
    version_by_id.cache_clear()
    yield tmp_path
    inference.unload()
    version_by_id.cache_clear()


@pytest.fixture
def published(home: Path, db: None) -> ModelVersion:
    """Write the script, then do the first two commands."""
    (script,) = blocks("python")
    (home / "iris").mkdir()
    (home / "iris" / "train.py").write_text(script)
    train, publish, _ = commands()
    assert train[0] == ".venv/bin/python"
    assert publish[:3] == ["./init.sh", "run", "publish_model"]

    subprocess.run([sys.executable, *train[1:]], check=True)
    call_command(*publish[2:], stdout=StringIO())
    return ModelVersion.objects.select_related("model").get()


def test_the_three_commands_end_in_a_paid_prediction(
    published: ModelVersion, alice: User, api: Callable[[User], APIClient]
) -> None:
    curl = commands()[2]
    address = next(word for word in curl if word.startswith("http"))
    body = json.loads(curl[curl.index("-d") + 1])

    accepted = api(alice).post(address.removeprefix("http://127.0.0.1:8000"), body, format="json")
    run([UUID(accepted.json()["id"])])

    done = api(alice).get(accepted["Location"]).json()
    (row,) = done["output"]
    promised, *_ = map(json.loads, blocks("json"))
    assert (done["status"], done["cost"]) == ("succeeded", 2)
    assert wallet_of(alice.pk).balance == 998
    assert row["prediction"] == promised["prediction"] == "virginica"
    assert row["probabilities"] == pytest.approx(promised["probabilities"], abs=0.01)
    assert sum(row["probabilities"].values()) == pytest.approx(1.0)


def test_the_card_makes_itself(
    published: ModelVersion, alice: User, page: Callable[[User], Client]
) -> None:
    answer = page(alice).get("/models/iris")

    shown = answer.content.decode()
    columns = {column["name"]: column for column in answer.context["columns"]}
    assert "The kind of an iris, told by four of its measures." in shown
    assert "2 credits a row" in shown
    assert columns["petal width (cm)"]["learnt"] == "0.1 – 2.5"
    assert answer.context["gives"]["labels"] == "setosa, versicolor, virginica"
    assert len(answer.context["form"].fields) == 4


def test_the_schema_stands_in_the_catalogue(published: ModelVersion, client: Client) -> None:
    document: dict[str, Any] = client.get("/api/v1/models/iris").json()

    assert 'href="/models/iris"' in client.get("/").content.decode()
    assert list(document["input_schema"]["properties"]) == list(document["example"])
    assert document["output_schema"] == {
        "type": "string",
        "title": "Species",
        "enum": ["setosa", "versicolor", "virginica"],
        "x-probabilities": ["setosa", "versicolor", "virginica"],
    }


def test_the_form_predicts_and_charges(
    published: ModelVersion, alice: User, page: Callable[[User], Client]
) -> None:
    form = page(alice).get("/models/iris").context["form"]
    values = {form.add_prefix(name): form[name].value() for name in form.fields}

    answer = page(alice).post("/predictions/new", {"model": "iris", "version": 1, **values})
    run([UUID(answer["Location"].rsplit("/", 1)[1])])

    shown = page(alice).get(answer["Location"])
    (row,) = shown.context["rows"]
    assert row.prediction in published.output_schema["enum"]
    assert row.shown_probabilities[0][0] == row.prediction
    assert wallet_of(alice.pk).balance == 998


def test_it_is_stored_in_the_format_that_runs_nothing(published: ModelVersion) -> None:
    assert (published.artifact_format, len(published.golden_rows)) == ("skops", 20)
