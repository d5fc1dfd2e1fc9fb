"""The only place that gathers everything stored of one client, in the shapes of the API."""

from collections.abc import Iterable
from tempfile import TemporaryFile
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZipFile

import msgspec
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.api.serializers import ProfileSerializer
from accounts.models import User
from billing.api.serializers import EntrySerializer, TopUpSerializer, WalletSerializer
from billing.models import Wallet
from billing.services import wallet_of
from mlservice.lib.errors import Unavailable
from mlservice.lib.snapshot import one_snapshot
from predictions.api.serializers import PredictionSerializer
from predictions.models import Prediction

MONEY_AT_ONCE = 1_000
# A prediction may be a megabyte on the way in and several on the way out.
PREDICTIONS_AT_ONCE = 10


def archive_of(user_id: int, request: HttpRequest) -> IO[bytes]:
    """Write a ZIP as of one moment into a temporary file; memory holds a few rows at a time.

    JSON is taken by no spreadsheet for formulas, and one line is one object. Raise Unavailable
    when the disk has no room for it.
    """
    wallet_id = wallet_of(user_id).pk
    file = TemporaryFile()  # noqa: SIM115  The response closes it.
    try:
        with one_snapshot(), ZipFile(file, "w", ZIP_DEFLATED) as archive:
            for name, objects in contents(user_id, wallet_id, request).items():
                write_lines(archive, name, objects)
        file.seek(0)
    except OSError as error:
        file.close()
        raise Unavailable(_("There is no room to pack your data now.")) from error
    return file


def contents(user_id: int, wallet_id: int, request: HttpRequest) -> dict[str, Iterable[Any]]:
    """Name each file with the objects that it takes, the oldest first; they are read later."""
    user, wallet = User.objects.get(pk=user_id), Wallet.objects.get(pk=wallet_id)
    entries = wallet.entries.order_by("pk").iterator(MONEY_AT_ONCE)
    top_ups = wallet.top_ups.order_by("pk").iterator(MONEY_AT_ONCE)
    mine = Prediction.objects.for_user(user_id).with_version().order_by("pk")
    predictions = PredictionSerializer(context={"request": request})
    return {
        "profile.json": [profile(user)],
        "wallet.json": [WalletSerializer(wallet).data],
        "entries.jsonl": map(EntrySerializer().to_representation, entries),
        "top-ups.jsonl": map(TopUpSerializer().to_representation, top_ups),
        "predictions.jsonl": map(predictions.to_representation, mine.iterator(PREDICTIONS_AT_ONCE)),
    }


def profile(user: User) -> dict[str, Any]:
    names = ("first_name", "last_name", "date_joined", "last_login", "email_confirmed_at")
    return {**ProfileSerializer(user).data, **{name: getattr(user, name) for name in names}}


def write_lines(archive: ZipFile, name: str, objects: Iterable[Any]) -> None:
    with archive.open(name, "w", force_zip64=True) as file:
        for one in objects:
            file.write(msgspec.json.encode(one) + b"\n")
