"""A download is of one moment, whatever is paid while it is written."""

import inspect
import json
import secrets
import time
from collections.abc import Callable
from contextlib import nullcontext
from io import BytesIO
from typing import Any
from zipfile import ZipFile

import pytest
from django.db import DatabaseError, connection
from django.test import Client

from accounts.models import User
from billing.services import wallet_of
from billing.top_ups import start_top_up
from ml_models.models import ModelVersion
from mlservice.site import export
from predictions.models import Prediction
from tests.conftest import make_prediction, make_user
from tests.races.threads import at_once, results


def taken_while_paying(alice: User, rf: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    """Let a top-up be paid between the reading of wallet and entries; give balance and sum."""
    really = export.contents

    def contents(*args: Any) -> Any:
        read = really(*args)
        wallet = wallet_of(alice.pk)
        pay = lambda: start_top_up(wallet=wallet, amount=5, provider="demo")  # noqa: E731
        results(at_once([pay]))
        return read

    monkeypatch.setattr(export, "contents", contents)
    packed = b"".join(export.archive_of(alice.pk, rf.post("/")))
    with ZipFile(BytesIO(packed)) as archive:
        entries = [json.loads(line) for line in archive.read("entries.jsonl").splitlines()]
        wallet = json.loads(archive.read("wallet.json"))
    return wallet["balance"], sum(entry["amount"] for entry in entries)


def test_a_payment_meanwhile_is_in_all_of_it_or_in_none(
    rf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = make_user("alice", credits=9)

    assert taken_while_paying(alice, rf, monkeypatch) == (9, 9)


def test_without_the_snapshot_wallet_and_entries_differ(
    rf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = make_user("alice", credits=9)
    monkeypatch.setattr(export, "one_snapshot", lambda **_: nullcontext())

    assert taken_while_paying(alice, rf, monkeypatch) == (9, 14)


def has_predictions(alice: User) -> None:
    for _ in range(3 * export.PREDICTIONS_AT_ONCE):
        make_prediction(alice)
    # Too long to wait in the packer for the next one.
    Prediction.objects.update(input=f'"{secrets.token_hex(100_000)}"')


def test_a_client_who_goes_away_ends_the_reading(
    page: Callable[[User], Client],
    published_version: ModelVersion,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alice = make_user("alice", credits=99)
    has_predictions(alice)
    # As a traceback would, this holds what is being read beyond the end of the snapshot.
    really = export.contents
    held: dict[str, Any] = {}
    monkeypatch.setattr(export, "contents", lambda *args: held.update(really(*args)) or held)
    answer: Any = page(alice).post("/profile/data")
    while b"predictions.jsonl" not in next(answer.streaming_content):
        pass
    next(answer.streaming_content)
    was_open = connection.in_atomic_block

    answer.close()

    assert (was_open, connection.in_atomic_block) == (True, False)
    assert inspect.getgeneratorstate(held["predictions.jsonl"]) == inspect.GEN_CLOSED
    assert wallet_of(alice.pk).balance == 99


def test_a_client_who_takes_nothing_loses_the_snapshot(
    rf: Any, published_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = make_user("alice", credits=99)
    has_predictions(alice)
    monkeypatch.setattr(export, "STALLED_SECONDS", 1)
    pieces = export.archive_of(alice.pk, rf.post("/"))
    while b"predictions.jsonl" not in next(pieces):
        pass

    time.sleep(1.5)

    with pytest.raises(DatabaseError):
        b"".join(pieces)
    assert not connection.in_atomic_block
    connection.close()
    assert wallet_of(alice.pk).balance == 99
