"""The only place that reads the Cancel-After header: how long a client cares for an answer."""

import re
from datetime import timedelta

from django.conf import settings
from drf_spectacular.utils import OpenApiParameter

from mlservice.lib.errors import InvalidRequest

HEADER = "Cancel-After"
MIN_SECONDS = 5
SPELLING = re.compile(r"(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?", re.ASCII)

CANCEL_AFTER = OpenApiParameter(
    HEADER,
    {"type": "string", "pattern": "^([0-9]+h)?([0-9]+m)?([0-9]+s)?$", "example": "30s"},
    OpenApiParameter.HEADER,
    description=(
        "Cancels the prediction when it has not finished so long after it was accepted: `30s`, "
        "`5m`, `1h30m`, at least 5 seconds and at most the age at which any prediction expires "
        "(a day, unless the operator chose otherwise). It then ends `canceled` and costs "
        "nothing; `deadline` says when. A repeated request keeps the first deadline."
    ),
)


def cancel_after_seconds(header: str | None) -> int | None:
    """Give the seconds after which to cancel, None without the header.

    Raise InvalidRequest for anything but hours, minutes and seconds within the limits.
    """
    if header is None:
        return None
    found = SPELLING.fullmatch(header.strip())
    if found is None or not any(found.groups()):
        raise InvalidRequest(f"{HEADER} is hours, minutes and seconds: 30s, 5m or 1h30m.")
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    asked = int(timedelta(hours=hours, minutes=minutes, seconds=seconds).total_seconds())
    if not MIN_SECONDS <= asked <= settings.PREDICTION_MAX_AGE_SECONDS:
        raise InvalidRequest(
            f"{HEADER} is at least {MIN_SECONDS}s and at most "
            f"{settings.PREDICTION_MAX_AGE_SECONDS}s."
        )
    return asked
