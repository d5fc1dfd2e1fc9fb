"""The one source of ids that sort by time (UUIDv7, RFC 9562)."""

from uuid import UUID

import uuid_utils.compat


def new_id() -> UUID:
    return uuid_utils.compat.uuid7()
