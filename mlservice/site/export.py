"""The only place that gathers everything stored of one client, in the shapes of the API."""

from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import msgspec
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.api.serializers import ProfileSerializer
from accounts.models import User
from billing.api.serializers import EntrySerializer, TopUpSerializer, WalletSerializer
from billing.models import Wallet
from billing.services import wallet_of
from mlservice.lib.snapshot import one_snapshot
from predictions.api.serializers import PredictionSerializer
from predictions.models import Prediction

MONEY_AT_ONCE = 1_000
# A prediction may be a megabyte on the way in and several on the way out.
PREDICTIONS_AT_ONCE = 10
# Whoever takes nothing for so long loses the snapshot, for vacuum and migrations wait for it.
STALLED_SECONDS = 120


class Outlet:
    """What an archive is written into, and taken out of at once; nobody can go back in it."""

    def __init__(self) -> None:
        self.held = bytearray()

    def write(self, data: bytes) -> int:
        self.held += data
        return len(data)

    def flush(self) -> None:
        """Do nothing: what is written waits to be taken."""

    def close(self) -> None:
        """Do nothing: the end of the archive waits to be taken as well."""

    def taken(self) -> Iterator[bytes]:
        """Yield what was written since the last time, if anything was."""
        if self.held:
            piece, self.held = bytes(self.held), bytearray()
            yield piece


def archive_of(user_id: int, request: HttpRequest) -> Iterator[bytes]:
    """Give a ZIP as of one moment, piece by piece; neither memory nor a disk ever holds it.

    JSON is taken by no spreadsheet for formulas, and one line is one object. The directory of
    a ZIP is its end, so that a download which broke off does not open as if it were whole.
    """
    # Outside the snapshot, which writes nothing: a wallet is made when it is missing.
    return pieces_of(user_id, wallet_of(user_id).pk, request)


def pieces_of(user_id: int, wallet_id: int, request: HttpRequest) -> Iterator[bytes]:
    outlet = Outlet()
    with one_snapshot(idle_seconds=STALLED_SECONDS):
        with ZipFile(outlet, "w", ZIP_DEFLATED) as archive:
            for name, objects in contents(user_id, wallet_id, request).items():
                yield from write_lines(archive, outlet, name, objects)
        yield from outlet.taken()


def contents(user_id: int, wallet_id: int, request: HttpRequest) -> dict[str, Generator[Any]]:
    """Name each file with the objects that it takes, the oldest first; they are read later."""
    user, wallet = User.objects.get(pk=user_id), Wallet.objects.get(pk=wallet_id)
    predictions = Prediction.objects.for_user(user_id).with_version()
    shape = PredictionSerializer(context={"request": request})
    return {
        "profile.json": alone(profile(user)),
        "wallet.json": alone(WalletSerializer(wallet).data),
        "entries.jsonl": shaped(wallet.entries.all(), EntrySerializer(), MONEY_AT_ONCE),
        "top-ups.jsonl": shaped(wallet.top_ups.all(), TopUpSerializer(), MONEY_AT_ONCE),
        "predictions.jsonl": shaped(predictions, shape, PREDICTIONS_AT_ONCE),
    }


def profile(user: User) -> dict[str, Any]:
    names = ("first_name", "last_name", "date_joined", "last_login", "email_confirmed_at")
    return {**ProfileSerializer(user).data, **{name: getattr(user, name) for name in names}}


def alone(one: Any) -> Generator[Any]:
    yield one


def shaped(rows: QuerySet[Any], serializer: Any, at_once: int) -> Generator[Any]:
    """Read rows a few at a time; closed early, it ends the reading while the snapshot stands."""
    read: Any = rows.order_by("pk").iterator(at_once)
    with closing(read):
        yield from map(serializer.to_representation, read)


def write_lines(
    archive: ZipFile, outlet: Outlet, name: str, objects: Generator[Any]
) -> Iterator[bytes]:
    with closing(objects), archive.open(name, "w", force_zip64=True) as file:
        # The file's head goes out before its first row is read.
        yield from outlet.taken()
        for one in objects:
            file.write(msgspec.json.encode(one) + b"\n")
            yield from outlet.taken()
