"""The download of one's own data: all of it, as of one moment, and nobody else's."""

import io
import json
import secrets
import tempfile
import tracemalloc
from collections.abc import Callable
from contextlib import closing
from typing import Any
from zipfile import BadZipFile, ZipFile

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from billing.services import wallet_of
from ml_models.models import ModelVersion
from mlservice.site import export
from predictions import runner
from predictions.models import Prediction
from tests.conftest import make_prediction

PageOf = Callable[[User], Client]
FILES = {"profile.json", "wallet.json", "entries.jsonl", "top-ups.jsonl", "predictions.jsonl"}


def download(client: Any) -> dict[str, list[Any]]:
    answer = client.post("/profile/data")
    assert answer.status_code == 200
    with ZipFile(io.BytesIO(b"".join(answer.streaming_content))) as archive:
        return {name: read_lines(archive.read(name)) for name in archive.namelist()}


def read_lines(content: bytes) -> list[Any]:
    return [json.loads(line) for line in content.splitlines()]


def test_everything_is_in_it(page: PageOf, alice: User, published_version: ModelVersion) -> None:
    prediction = make_prediction(alice, metadata={"order": "7"})
    runner.run([prediction.pk])

    taken = download(page(alice))

    assert taken.keys() == FILES
    assert taken["profile.json"][0]["email"] == "alice@example.com"
    assert taken["wallet.json"][0]["balance"] == 1_000 - published_version.price
    assert [entry["kind"] for entry in taken["entries.jsonl"]] == ["top_up", "capture"]
    assert [top_up["amount"] for top_up in taken["top-ups.jsonl"]] == [1_000]
    (mine,) = taken["predictions.jsonl"]
    assert (mine["id"], mine["metadata"]) == (str(prediction.pk), {"order": "7"})
    assert mine["input"] == published_version.example
    assert mine["output"][0]["status"] == "succeeded"


def test_nothing_of_others_is_in_it(
    page: PageOf, alice: User, bob: User, published_version: ModelVersion
) -> None:
    make_prediction(bob)

    taken = download(page(alice))

    assert taken["predictions.jsonl"] == []
    assert "bob" not in json.dumps(taken)


def test_it_is_a_file_with_a_name(page: PageOf, alice: User) -> None:
    answer = page(alice).post("/profile/data")

    assert answer["Content-Type"] == "application/zip"
    assert answer["Content-Disposition"].startswith('attachment; filename="ml-service-20')


def test_many_predictions_cost_no_more_queries_than_few(
    page: PageOf, alice: User, published_version: ModelVersion
) -> None:
    client = page(alice)

    def queries_of_a_download() -> int:
        with CaptureQueriesContext(connection) as asked:
            download(client)
        return len(asked)

    make_prediction(alice)
    with_one = queries_of_a_download()
    for _ in range(25):
        make_prediction(alice)

    assert queries_of_a_download() == with_one


def test_neither_memory_nor_a_disk_holds_what_is_on_its_way(
    rf: Any, alice: User, published_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    size, count = 200_000, 150
    # Half of its length is left when it is packed.
    text = json.dumps({"note": secrets.token_hex(size // 2)})
    for _ in range(count):
        make_prediction(alice)
    Prediction.objects.update(input=text, output=f"[{text}]")
    monkeypatch.setattr(tempfile, "_get_default_tempdir", lambda: pytest.fail("a file is made"))
    monkeypatch.setattr(tempfile, "tempdir", None)

    tracemalloc.start()
    packed = sum(len(piece) for piece in export.archive_of(alice.pk, rf.post("/profile/data")))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert packed > size * count
    assert peak < packed / 2


def test_the_first_piece_comes_before_any_row_is_read(rf: Any, alice: User) -> None:
    pieces: Any = export.archive_of(alice.pk, rf.post("/profile/data"))

    with closing(pieces), CaptureQueriesContext(connection) as asked:
        first = next(pieces)

    assert first.startswith(b"PK")
    assert not [query["sql"] for query in asked if "predictions_prediction" in query["sql"]]


def test_what_breaks_off_does_not_open(rf: Any, alice: User) -> None:
    *begun, _ = export.archive_of(alice.pk, rf.post("/profile/data"))

    with pytest.raises(BadZipFile):
        ZipFile(io.BytesIO(b"".join(begun)))


def test_a_proxy_is_told_to_keep_nothing_back(page: PageOf, alice: User) -> None:
    answer = page(alice).post("/profile/data")

    assert (answer.streaming, answer["X-Accel-Buffering"]) == (True, "no")


def test_downloads_are_limited(page: PageOf, alice: User, bob: User) -> None:
    client = page(alice)
    codes = [client.post("/profile/data").status_code for _ in range(7)]

    assert codes == [200] * 6 + [429]
    assert page(bob).post("/profile/data").status_code == 200


def test_it_needs_a_form(page: PageOf, alice: User) -> None:
    assert page(alice).get("/profile/data").status_code == 405
    assert wallet_of(alice.pk).balance == 1_000
