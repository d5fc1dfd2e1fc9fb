"""How predictions ended, told to the requests that wait for them.

The wake-up itself says it where it has room; whoever hears it empty, or nothing for a second,
reads it from the table.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from mlservice.lib.prepared import Call, Statement
from predictions.models import Prediction

CHANNEL = "prediction_finished"
# PostgreSQL refuses 8,000 and more.
ROOM_BYTES = 7_900


class Ending(msgspec.Struct, array_like=True, frozen=True):
    """The fields that the end of a prediction has written, in the order of `READ_ENDED`."""

    id: UUID
    status: str
    output: str | None
    error: str
    error_code: str
    cost: int
    predict_seconds: float | None
    started_at: datetime | None
    completed_at: datetime
    cancel_requested_at: datetime | None

    def write_on(self, prediction: Prediction) -> None:
        """Bring a prediction that was read before its end up to date."""
        for name in FIELDS:
            setattr(prediction, name, getattr(self, name))


FIELDS = Ending.__struct_fields__[1:]


def announcing(endings: Sequence[Ending]) -> list[Call]:
    """Give what wakes who waits when its transaction commits; of nothing nobody is told."""
    if not endings:
        return []
    said = msgspec.json.encode(endings).decode()
    payload = said if len(said.encode()) <= ROOM_BYTES else ""
    return [(ANNOUNCE, CHANNEL, payload)]


ANNOUNCE = Statement("announce_endings", ["text", "text"], "SELECT pg_notify($1, $2)")


def heard(payloads: Iterable[str]) -> list[Ending] | None:
    """Return the endings that wake-ups tell of; None if they have to be read from the table.

    One had no room for them, or comes from a release that tells of something else.
    """
    try:
        return [ending for payload in payloads for ending in READER.decode(payload)]
    except msgspec.DecodeError:
        return None


READER = msgspec.json.Decoder(list[Ending])


def ended(prediction_ids: Sequence[UUID]) -> list[Ending]:
    """Read how those of these have ended that have."""
    return [Ending(*row) for row in READ_ENDED.run(prediction_ids)]


READ_ENDED = Statement(
    "read_ended",
    ["uuid[]"],
    f"""
SELECT id, {", ".join(FIELDS)} FROM predictions_prediction
WHERE id = ANY($1) AND completed_at IS NOT NULL
""",  # noqa: S608 (names of our own fields)
)
