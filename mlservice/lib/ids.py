"""The one source of ids that sort by time (UUIDv7, RFC 9562)."""

from datetime import datetime
from uuid import UUID

import uuid_utils.compat


def new_id() -> UUID:
    return uuid_utils.compat.uuid7()


def first_id_at(moment: datetime) -> UUID:
    """Return the smallest id that is made at a moment: where a range of them begins."""
    # The first 48 of the 128 bits are milliseconds.
    return UUID(int=int(moment.timestamp() * 1000) << 80)
