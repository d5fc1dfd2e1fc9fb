"""Idempotency keys: a request that is sent again finds what the first one made."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from django.db import models
from django.utils.translation import gettext_lazy as _

from mlservice.lib.errors import DomainError, InvalidRequest
from mlservice.lib.locks import LockTimeout, lock_timeout

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
MAX_LENGTH = 255
PATIENCE_MILLISECONDS = 2_000

Row = TypeVar("Row", bound=models.Model)


class IdempotencyMismatch(DomainError):
    status = 422
    code = "idempotency_mismatch"
    title = _("The key was used with another body")


class IdempotencyInFlight(DomainError):
    status = 409
    code = "idempotency_in_flight"
    title = _("The first request with this key is still under way")


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A client's key and the SHA-256 of the body it came with; `value` is None without one."""

    value: str | None = None
    fingerprint: str = ""


NO_KEY = IdempotencyKey()


def read_key(header: str | None, body: Any) -> IdempotencyKey:
    """Take the key of a request. Raise InvalidRequest unless it is 1 to 255 visible ASCII."""
    if header is None:
        return NO_KEY
    if not 1 <= len(header) <= MAX_LENGTH or any(not "!" <= sign <= "~" for sign in header):
        raise InvalidRequest(
            f"{HEADER} must be 1 to {MAX_LENGTH} visible ASCII characters, without spaces."
        )
    return IdempotencyKey(header, fingerprint(body))


def form_key(nonce: str, body: Any) -> IdempotencyKey:
    """Make the key of a form that was sent: its page's nonce together with what was filled in.

    A double click makes one thing; a form that was changed after going back makes another.
    """
    if not nonce:
        return NO_KEY
    said = fingerprint(body)
    return IdempotencyKey(f"form-{fingerprint(nonce)[:32]}-{said[:32]}", said)


def fingerprint(body: Any) -> str:
    """Give the SHA-256, in hexadecimal, of a body as canonical JSON: sorted keys, no spaces."""
    return hashlib.sha256(msgspec.json.encode(body, order="sorted")).hexdigest()


def replayed(earlier: models.QuerySet[Row], key: IdempotencyKey) -> Row | None:
    """Find what an earlier request with this key made, marked `is_replayed`.

    Raise IdempotencyMismatch when it came with another body.
    """
    if key.value is None:
        return None
    found = earlier.filter(idempotency_key=key.value).first()
    return None if found is None else recognised(found, key)


def recognised(found: Any, key: IdempotencyKey) -> Any:
    """Mark what an earlier request made `is_replayed`; raise IdempotencyMismatch as above."""
    if found.fingerprint != key.fingerprint:
        raise IdempotencyMismatch(
            f"This {HEADER} came with another body before. Use a new key for a new request."
        )
    found.is_replayed = True
    return found


@contextmanager
def patience(key: IdempotencyKey) -> Iterator[None]:
    """Let a request with a key wait at most 2 s for the row that its twin holds locked.

    Raise IdempotencyInFlight after that.
    """
    if key.value is None:
        yield
        return
    try:
        with lock_timeout(PATIENCE_MILLISECONDS):
            yield
    except LockTimeout as error:
        raise IdempotencyInFlight(_("Send it again with the same key in a moment.")) from error
