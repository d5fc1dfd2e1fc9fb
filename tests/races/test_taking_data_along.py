"""A download is of one moment, whatever is paid while it is written."""

import json
from contextlib import nullcontext
from typing import Any
from zipfile import ZipFile

import pytest

from accounts.models import User
from billing.services import wallet_of
from billing.top_ups import start_top_up
from mlservice.site import export
from tests.conftest import make_user
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
    with export.archive_of(alice.pk, rf.post("/")) as file, ZipFile(file) as archive:
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
    monkeypatch.setattr(export, "one_snapshot", nullcontext)

    assert taken_while_paying(alice, rf, monkeypatch) == (9, 14)
