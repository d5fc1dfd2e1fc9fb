"""What the API says of a prediction: made by hand, since it is made for every answer."""

from datetime import datetime
from functools import cache
from typing import Any

import msgspec
from django.http import HttpRequest
from django.urls import reverse

from predictions import selectors
from predictions.models import Prediction


def root_of(request: HttpRequest) -> str:
    """Return where the service was asked, without a path: `https://ml.example.com`."""
    return f"{request.scheme}://{request.get_host()}"


def summary(prediction: Prediction, root: str) -> dict[str, Any]:
    """Describe a prediction without its rows, in JSON's types; `root` begins its addresses."""
    version, here = prediction.version, address(prediction, root)
    return {
        "id": str(prediction.pk),
        "model": version.model.slug,
        "version": version.number,
        "status": prediction.status,
        "error": prediction.error or None,
        "error_code": prediction.error_code or None,
        "rows_total": prediction.rows_total,
        "rows_valid": prediction.rows_valid,
        "price": prediction.price,
        "explain": prediction.explain,
        "cost": prediction.cost,
        "refunded": prediction.refunded,
        "metadata": prediction.metadata,
        "source": prediction.source,
        "created_at": said(prediction.created_at),
        "started_at": said(prediction.started_at),
        "completed_at": said(prediction.completed_at),
        "cancel_requested_at": said(prediction.cancel_requested_at),
        "deadline": said(prediction.deadline),
        "metrics": selectors.metrics(prediction),
        "data_removed": prediction.data_removed,
        "urls": {
            "get": here,
            "cancel": f"{here}/cancel",
            "web": f"{root}{path_of('predictions')}/{prediction.pk}",
        },
    }


def address(prediction: Prediction, root: str) -> str:
    """Return where the API has it. Both addresses of one begin with that of all."""
    return f"{root}{path_of('api_predictions')}/{prediction.pk}"


@cache
def path_of(name: str) -> str:
    return reverse(name)


def said(moment: datetime | None) -> str | None:
    """Spell a moment of UTC as ISO 8601 does."""
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def whole(prediction: Prediction, root: str) -> dict[str, Any]:
    """Describe a prediction with its rows, which are laid in as they are stored."""
    return summary(prediction, root) | {
        "input": msgspec.Raw(prediction.input.encode()),
        "output": None if prediction.output is None else msgspec.Raw(prediction.output.encode()),
    }


def encoded(prediction: Prediction, root: str) -> bytes:
    """Give the JSON text of the whole description."""
    return msgspec.json.encode(whole(prediction, root))
