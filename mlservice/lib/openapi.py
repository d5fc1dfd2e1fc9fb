"""What the OpenAPI document says of every operation alike: tags, and errors as problems."""

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter

from mlservice.lib.idempotency import HEADER, MAX_LENGTH

PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance", "code", "errors", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "code": {"type": "string"},
        "errors": {"type": "array", "items": {"type": "object", "additionalProperties": True}},
        "request_id": {"type": "string"},
    },
    "example": {
        "type": "about:blank",
        "title": "Not enough credits",
        "status": 402,
        "detail": "This prediction needs 15 credits and 4 are available. Top up and send it again.",
        "instance": "/api/v1/predictions",
        "code": "insufficient_credits",
        "errors": [],
        "request_id": "0197b7a2",
        "required": 15,
        "available": 4,
    },
}
ANY_PROBLEM = {
    "description": "A refusal as RFC 9457 problem details",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


IDEMPOTENCY_KEY = OpenApiParameter(
    HEADER,
    {"type": "string", "minLength": 1, "maxLength": MAX_LENGTH, "pattern": "^[!-~]+$"},
    OpenApiParameter.HEADER,
    description=(
        "Your own name for this request. Sent again with the same body, it answers with what "
        "the first one made, as it is now, and `Idempotent-Replayed: true`; with another body "
        "it is refused. A refusal stores nothing."
    ),
)


class Schema(AutoSchema):
    def get_tags(self) -> list[str]:
        """Group operations by the noun after /api/v1/."""
        words = [word for word in self.path.split("/") if word]
        return [words[2]] if len(words) > 2 else super().get_tags()


def add_problem_responses(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Document errors once: `default` of every operation is a problem."""
    result["components"].setdefault("schemas", {})["Problem"] = PROBLEM
    for path in result["paths"].values():
        for operation in path.values():
            operation["responses"]["default"] = ANY_PROBLEM
    return result
